/** What a run was told: the handful of settings one looks for, and all of them. */

import type { RunModel } from "../client/model";
import { count } from "../client/numbers";
import { numberOf } from "./figures";

export interface Setting {
  name: string;
  value: string;
  code?: boolean;
  title?: string;
}

/** "Centralised, small_resnet, PneumoniaMNIST" */
export function metaWords(model: RunModel): string {
  const { config, data } = model;
  const parts = [model.federated ? "Federated" : "Centralised"];
  if (model.federated) {
    const hospitals = model.expectedClients ?? model.clients.length;
    if (hospitals > 0) parts.push(`${hospitals} hospital${hospitals === 1 ? "" : "s"}`);
    if (model.localEpochs)
      parts.push(`${model.localEpochs} local epoch${model.localEpochs === 1 ? "" : "s"}`);
    if (typeof config.strategy === "string") parts.push(strategyName(config.strategy));
  } else if (typeof config.model === "string") parts.push(config.model);
  if (!model.federated && data.name) parts.push(data.name);
  return parts.join(", ");
}

const STRATEGIES: Readonly<Record<string, string>> = {
  fedavg: "FedAvg",
  fedprox: "FedProx",
  fedadam: "FedAdam",
  fedyogi: "FedYogi",
  fedmedian: "FedMedian",
  krum: "Krum",
};

function strategyName(name: string): string {
  return STRATEGIES[name.toLowerCase()] ?? name;
}

/** The settings of the panel; a line whose fact nobody told is left out. */
export function mainSettings(model: RunModel): Setting[] {
  const { config, data, software } = model;
  const settings: Setting[] = [];
  if (typeof config.model === "string") {
    const weights = numberOf(config.num_parameters) ?? numberOf(config.weights);
    const size =
      weights === null
        ? ""
        : `, ${weights >= 1e6 ? `${(weights / 1e6).toFixed(1)} M` : count(weights)} weights`;
    settings.push({ name: "Model", value: `${config.model}${size}` });
  }
  if (model.federated && typeof config.strategy === "string") {
    settings.push({ name: "Aggregation", value: strategyName(config.strategy) });
    const privacy = privacyWords(config);
    if (privacy !== null) settings.push({ name: "Privacy", value: privacy });
    if (typeof config.partition === "string") settings.push({ name: "Split", value: partitionWords(config) });
  }
  const optimiser = [
    typeof config.optimizer === "string" ? config.optimizer : null,
    config.learning_rate === undefined
      ? null
      : `${typeof config.optimizer === "string" ? "" : "learning rate "}${String(config.learning_rate)}`,
    config.batch_size === undefined ? null : `batch ${String(config.batch_size)}`,
  ].filter(Boolean);
  if (optimiser.length > 0) settings.push({ name: "Optimiser", value: optimiser.join(", ") });
  if (config.seed !== undefined) settings.push({ name: "Seed", value: String(config.seed) });
  if (data.name) settings.push({ name: "Data", value: data.name });
  if (data.digest) {
    settings.push({ name: "Data digest", value: shortDigest(data.digest), code: true, title: data.digest });
  }
  const versions = Object.entries(software)
    .sort(([one], [other]) => rank(one) - rank(other))
    .map(([name, version]) => `${name.replace("pytorch_lightning", "lightning")} ${version}`);
  if (versions.length > 0) {
    settings.push({ name: "Software", value: versions.slice(0, 2).join(", "), title: versions.join(", ") });
  }
  return settings;
}

/** What one looks for first among the versions. */
const FIRST = ["torch", "pytorch_lightning", "lightning", "flwr", "torchmetrics", "monai"];

function rank(name: string): number {
  const at = FIRST.indexOf(name);
  return at < 0 ? FIRST.length : at;
}

/** "clipped on the server at 1, noise 1.5" */
function privacyWords(config: Readonly<Record<string, unknown>>): string | null {
  if (typeof config.privacy !== "string" || config.privacy === "none") return null;
  const where = config.privacy.startsWith("client") ? "by each hospital" : "on the server";
  const how = config.privacy.endsWith("adaptive") ? "adaptively, at first at" : "at";
  return `clipped ${where} ${how} ${String(config.clipping_norm)}, noise ${String(config.noise_multiplier)}`;
}

function partitionWords(config: Readonly<Record<string, unknown>>): string {
  if (config.partition === "dirichlet" && config.alpha !== undefined)
    return `Dirichlet ${String(config.alpha)}`;
  if (config.partition === "patient") return "by patient";
  return config.partition === "iid" ? "IID" : String(config.partition);
}

/** "b455d41a…7f044" */
export function shortDigest(digest: string): string {
  return digest.length > 16 ? `${digest.slice(0, 8)}…${digest.slice(-5)}` : digest;
}

/** Every key of `config`, in its own order; nested ones with a slash. */
export function allSettings(config: Readonly<Record<string, unknown>>, prefix = ""): Setting[] {
  return Object.entries(config).flatMap(([key, value]): Setting[] => {
    const name = prefix + key;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return allSettings(value as Record<string, unknown>, `${name}/`);
    }
    const words = Array.isArray(value) ? value.join(", ") : String(value);
    return [{ name, value: value === null ? "not set" : words, code: true }];
  });
}
