/** What a form can ask, read out of the JSON Schema of `config`. */

import { list, number, record, text } from "../client/reading";

export type Value = string | number | boolean | null;

export interface Field {
  readonly name: string;
  readonly kind: "integer" | "number" | "boolean" | "choice" | "text" | "json";
  readonly help: string;
  readonly initial: Value;
  /** Empty means null, which the help text explains. */
  readonly nullable: boolean;
  readonly choices: readonly string[];
  readonly min: number | null;
  readonly max: number | null;
  /** It is asked for only where each of these settings is one of these. */
  readonly isFor: Readonly<Record<string, readonly string[]>>;
}

/** The fields of a schema, in its order; what no form can ask is left out. */
export function fieldsOf(schema: unknown): readonly Field[] {
  return Object.entries(record(record(schema).properties)).map(([name, value]) =>
    fieldOf(name, record(value)),
  );
}

function fieldOf(name: string, property: Readonly<Record<string, unknown>>): Field {
  const options = list(property.anyOf).map(record);
  const nullable = options.some((option) => option.type === "null");
  const shape =
    options.length === 0 ? property : (options.find((option) => option.type !== "null") ?? property);
  const choices = list(shape.enum).filter((each) => typeof each === "string");
  const type = text(shape.type);
  const kind = choices.length > 0 ? "choice" : kindOf(type);
  const initial = kind === "json" ? JSON.stringify(property.default ?? {}) : scalar(property.default);
  return {
    name,
    kind,
    help: text(property.description) ?? "",
    initial,
    nullable,
    choices,
    min: number(shape.minimum) ?? number(shape.exclusiveMinimum),
    max: number(shape.maximum) ?? number(shape.exclusiveMaximum),
    isFor: Object.fromEntries(
      Object.entries(record(property["x-for"])).map(([choice, names]) => [choice, list(names).map(String)]),
    ),
  };
}

/** Whether a setting says anything under the present choices: one of another strategy does not. */
export function isAsked(
  field: Field,
  values: Readonly<Record<string, Value>>,
  fields: readonly Field[],
): boolean {
  return Object.entries(field.isFor).every(([choice, names]) =>
    names.includes(String(values[choice] ?? fields.find((each) => each.name === choice)?.initial)),
  );
}

function kindOf(type: string | null): Field["kind"] {
  if (type === "integer" || type === "number" || type === "boolean") return type;
  return type === "object" || type === "array" ? "json" : "text";
}

function scalar(value: unknown): Value {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

/** "Early stopping patience" for `early_stopping_patience`. */
export function labelOf(name: string): string {
  const words = name.replaceAll("_", " ");
  return SPOKEN[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

const SPOKEN: Readonly<Record<string, string>> = {
  ema: "Averaged weights (EMA)",
  num_clients: "Hospitals",
  num_rounds: "Rounds",
  local_epochs: "Local epochs",
  num_workers: "Loader processes",
  alpha: "Alpha",
  proximal_mu: "Proximal mu",
  malicious_clients: "Malicious hospitals",
  server_beta_1: "Server's beta 1",
  server_beta_2: "Server's beta 2",
  server_tau: "Server's tau",
  server_learning_rate: "Server's learning rate",
  privacy: "Differential privacy",
  max_epsilon: "Greatest epsilon",
  clipped_count_stddev: "Noise on the count of those clipped",
};

/** The settings that are not the default, as the server wants them; a text that is no JSON goes as it is, to be told so. */
export function changed(
  fields: readonly Field[],
  values: Readonly<Record<string, Value>>,
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name];
    if (value === undefined || value === field.initial) continue;
    if (field.kind === "json") found[field.name] = parsed(value);
    else if (value === "" || value === null) {
      if (field.nullable) found[field.name] = null;
    } else found[field.name] = value;
  }
  return found;
}

function parsed(value: Value): unknown {
  try {
    return JSON.parse(String(value));
  } catch {
    return value;
  }
}

/** The values of a run's own `config`, to begin from. */
export function valuesFrom(
  fields: readonly Field[],
  config: Readonly<Record<string, unknown>>,
): Record<string, Value> {
  const found: Record<string, Value> = {};
  for (const field of fields) {
    if (!(field.name in config)) continue;
    const value = config[field.name];
    found[field.name] = field.kind === "json" ? JSON.stringify(value) : scalar(value);
  }
  return found;
}

/** A setting that is not as it was in the run that the form began from. */
export interface Change {
  readonly name: string;
  readonly before: Value;
  readonly now: Value;
}

/** What was changed against the run that the form began from. */
export function changes(
  fields: readonly Field[],
  begun: Readonly<Record<string, Value>>,
  values: Readonly<Record<string, Value>>,
): readonly Change[] {
  return fields.flatMap(({ name, initial }) => {
    const before = begun[name] === undefined ? initial : begun[name];
    const now = values[name] === undefined ? initial : values[name];
    return before === now ? [] : [{ name, before, now }];
  });
}

/** A setting's value in words. */
export function shown(value: Value): string {
  if (value === null || value === "") return "off";
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value);
}

/** The field that a fault of the server speaks of: the last part of `config.batch_size`. */
export function faultsByField(
  faults: readonly { where: string; wrong: string; right: string }[],
): ReadonlyMap<string, string> {
  return new Map(
    faults.map(({ where, wrong, right }) => {
      const name =
        where
          .split(/[.[\]]/)
          .filter(Boolean)
          .at(-1) ?? "";
      return [name, right === "" ? wrong : `${wrong}; ${right}`] as const;
    }),
  );
}
