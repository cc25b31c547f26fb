import { Checkbox, NumberInput, Select, TextInput } from "@mantine/core";
import { type Field, shown as inWords, labelOf, type Value } from "./schemaForm";

interface Props {
  readonly field: Field;
  readonly value: Value | undefined;
  readonly fault: string | undefined;
  /** What it was in the run that the form began from, where it is not so any more. */
  readonly before?: Value | undefined;
  readonly set: (value: Value) => void;
}

/** One setting, with its help text. */
export function SchemaField({ field, value, fault, before, set }: Props) {
  const shown = value === undefined ? field.initial : value;
  const common = {
    label: <Label name={field.name} before={before} />,
    description: field.help,
    error: fault,
    name: field.name,
  };
  switch (field.kind) {
    case "boolean":
      return (
        <Checkbox
          {...common}
          checked={shown === true}
          onChange={(event) => set(event.currentTarget.checked)}
        />
      );
    case "choice":
      return (
        <Select
          {...common}
          allowDeselect={false}
          data={[...field.choices]}
          value={String(shown ?? "")}
          onChange={(next) => set(next)}
        />
      );
    case "integer":
    case "number":
      return (
        <NumberInput
          {...common}
          value={typeof shown === "number" || typeof shown === "string" ? shown : ""}
          placeholder={field.nullable ? "off" : ""}
          // The limits are the server's to hold: it says what would be right. A field that drops a minus sign or a
          // decimal point by itself would start a run that nobody asked for.
          clampBehavior="none"
          stepHoldDelay={400}
          stepHoldInterval={60}
          step={stepOf(field)}
          onChange={(next) => set(next === "" && field.nullable ? null : next)}
        />
      );
    default:
      return (
        <TextInput
          {...common}
          value={shown === null ? "" : String(shown)}
          spellCheck={false}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
  }
}

function Label({ name, before }: { readonly name: string; readonly before: Value | undefined }) {
  return (
    <>
      {labelOf(name)}
      {before !== undefined && <span className="new-run-was">changed, was {inWords(before)}</span>}
    </>
  );
}

function stepOf(field: Field): number {
  if (field.kind === "integer") return 1;
  const size = typeof field.initial === "number" && field.initial > 0 ? field.initial : 0.1;
  return 10 ** Math.floor(Math.log10(size));
}
