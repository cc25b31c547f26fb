import { expect, it } from "vitest";
import { schemaOf } from "../../test/fakeSchema";
import { changed, changes, faultsByField, fieldsOf, isAsked, labelOf, shown, valuesFrom } from "./schemaForm";

const fields = fieldsOf(schemaOf("federated"));
const field = (name: string) => fields.find((each) => each.name === name);

it("reads every setting with its kind, default, limits and help", () => {
  expect(field("batch_size")).toMatchObject({ kind: "integer", initial: 64, min: 1, max: 65536 });
  expect(field("learning_rate")).toMatchObject({ kind: "number", initial: 0.003 });
  expect(field("class_weights")).toMatchObject({ kind: "boolean", initial: true });
  expect(field("partition")).toMatchObject({ kind: "choice", choices: ["iid", "dirichlet", "patient"] });
  expect(field("early_stopping_patience")).toMatchObject({ kind: "integer", nullable: true, initial: null });
  expect(field("model_args")).toMatchObject({ kind: "json", initial: "{}" });
  expect(fields.every((each) => each.help !== "")).toBe(true);
});

it("sends only what is not the default", () => {
  expect(changed(fields, {})).toEqual({});
  expect(changed(fields, { batch_size: 64, seed: 7, ema: false })).toEqual({ seed: 7, ema: false });
});

it("sends null for a setting that was switched off, and nothing for one that was emptied", () => {
  expect(
    changed([{ ...(field("threads") as NonNullable<ReturnType<typeof field>>), initial: 4 }], {
      threads: null,
    }),
  ).toEqual({ threads: null });
  expect(changed(fields, { batch_size: "" })).toEqual({});
});

it("sends what is no number as it is, so that the server can say what would be right", () => {
  expect(changed(fields, { batch_size: "ten" })).toEqual({ batch_size: "ten" });
  expect(changed(fields, { model_args: "{no" })).toEqual({ model_args: "{no" });
  expect(changed(fields, { model_args: '{"depth": 3}' })).toEqual({ model_args: { depth: 3 } });
});

it("begins from the configuration of another run", () => {
  expect(valuesFrom(fields, { seed: 42, model_args: { a: 1 }, unknown: 1 })).toEqual({
    seed: 42,
    model_args: '{"a":1}',
  });
});

it("finds the field a fault speaks of", () => {
  const faults = faultsByField([{ where: "config.batch_size", wrong: "got 0", right: "1 or more" }]);
  expect(faults.get("batch_size")).toBe("got 0; 1 or more");
});

it("names settings in words", () => {
  expect(labelOf("early_stopping_patience")).toBe("Early stopping patience");
  expect(labelOf("num_clients")).toBe("Hospitals");
});

it("makes no field of what is no schema", () => {
  expect(fieldsOf(null)).toEqual([]);
  expect(fieldsOf({ properties: { x: 3 } })).toHaveLength(1);
});

it("asks for a setting only where its strategy is chosen", () => {
  const asked = (values: Record<string, string>) =>
    fields
      .filter((each) => isAsked(each, values, fields) && Object.keys(each.isFor).length > 0)
      .map((each) => each.name);
  expect(asked({})).toEqual([]);
  expect(asked({ strategy: "fedprox" })).toEqual(["proximal_mu"]);
  expect(asked({ strategy: "krum" })).toEqual(["malicious_clients"]);
  expect(asked({ privacy: "server_fixed" })).toEqual([
    "noise_multiplier",
    "clipping_norm",
    "delta",
    "max_epsilon",
  ]);
});

it("says what was changed against the run that the form began from, and by how much", () => {
  const [epochs, rate] = fieldsOf({
    properties: {
      epochs: { type: "integer", default: 10 },
      rate: { type: "number", default: 0.001 },
    },
  });
  const fields = [epochs, rate].filter((field) => field !== undefined);
  const begun = { epochs: 5 };
  expect(changes(fields, begun, { ...begun })).toEqual([]);
  expect(changes(fields, begun, { epochs: 10, rate: 0.01 })).toEqual([
    { name: "epochs", before: 5, now: 10 },
    { name: "rate", before: 0.001, now: 0.01 },
  ]);
  expect([null, "", true, 0.5].map(shown)).toEqual(["off", "off", "on", "0.5"]);
});
