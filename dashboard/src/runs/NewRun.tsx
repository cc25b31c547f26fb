import { Button, Code, Collapse, CopyButton, SegmentedControl, TextInput } from "@mantine/core";
import {
  IconAlertTriangle,
  IconChevronDown,
  IconChevronRight,
  IconCopy,
  IconPlayerPlay,
} from "@tabler/icons-react";
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useMemo, useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { Loading } from "../app/Loading";
import { Notice } from "../app/Notice";
import { useTitle } from "../app/title";
import { getConfigSchema, getRunStart, type Problem, startCentralized, startFederated } from "../client/api";
import { feeds } from "../client/feeds";
import { record, text } from "../client/reading";
import { SchemaField } from "./SchemaField";
import {
  type Change,
  changed,
  changes,
  type Field,
  faultsByField,
  fieldsOf,
  isAsked,
  labelOf,
  shown,
  type Value,
  valuesFrom,
} from "./schemaForm";
import "./newRun.css";

type Kind = "centralized" | "federated";

/** What most people change; the rest is one click away. In federated runs these stand outside `config`. */
const FIRST: Readonly<Record<Kind, readonly string[]>> = {
  centralized: ["epochs", "batch_size", "learning_rate", "seed"],
  federated: [
    "num_clients",
    "num_rounds",
    "local_epochs",
    "partition",
    "alpha",
    "strategy",
    "privacy",
    "engine",
    "seed",
  ],
};

/** Starts a centralised or a federated run, with every setting the server knows. */
export default function NewRun() {
  useTitle("New run", { back: "/" });
  const [search] = useSearchParams();
  const from = search.get("from");
  const [, go] = useLocation();
  // The header's line stays open while no list and no run is looked at.
  useEffect(() => feeds().hold(feeds().runs()), []);
  const before = useQuery<Readonly<Record<string, unknown>> | null, Problem>({
    queryKey: ["run-start", from],
    queryFn: ({ signal }) => (from === null ? Promise.resolve(null) : getRunStart(from, signal)),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (before.isPending) return <Loading />;
  const told = before.data ?? null;
  return (
    <Form
      key={from ?? ""}
      told={told}
      from={from}
      started={(runId) => go(`/runs/${encodeURIComponent(runId)}`)}
    />
  );
}

interface FormProps {
  /** The `run_start` of the run to begin from. */
  readonly told: Readonly<Record<string, unknown>> | null;
  readonly from: string | null;
  readonly started: (runId: string) => void;
}

function Form({ told, from, started }: FormProps) {
  const [kind, setKind] = useState<Kind>(told?.mode === "federated" ? "federated" : "centralized");
  const [name, setName] = useState(text(told?.experiment_name) ?? "");
  const [source, setSource] = useState("");
  const [all, setAll] = useState(false);
  const schema = useQuery<unknown, Problem>({
    queryKey: ["schema", kind],
    queryFn: ({ signal }) => getConfigSchema(kind, signal),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const fields = useMemo(
    () => fieldsOf(schema.data).filter((field) => !(kind === "federated" && field.name === "epochs")),
    [schema.data, kind],
  );
  const begun = useMemo(() => valuesFrom(fields, record(told?.config)), [fields, told]);
  const [touched, setTouched] = useState<Readonly<Record<string, Value>>>({});
  const values = { ...begun, ...touched };
  const asked = fields.filter((field) => isAsked(field, values, fields));
  const edited = told === null ? [] : changes(asked, begun, values);
  const body = bodyOf(name, source, asked, values);
  const start = useMutation<{ run_id: string }, Problem>({
    mutationFn: () => (kind === "federated" ? startFederated(body) : startCentralized(body)),
    onSuccess: ({ run_id }) => started(run_id),
  });
  if (schema.isPending && fields.length === 0) return <Loading />;
  const faults = faultsByField(start.error?.errors ?? []);
  const fieldProps = (field: Field) => ({
    field,
    value: values[field.name],
    fault: faults.get(field.name),
    before: edited.find((each) => each.name === field.name)?.before,
    set: (value: Value) => setTouched((before) => ({ ...before, [field.name]: value })),
  });
  // What a choice brings with it stands behind that choice.
  const first = FIRST[kind].flatMap((each) =>
    asked.filter((field) => field.name === each || each in field.isFor),
  );
  const rest = asked.filter((field) => !first.includes(field));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    start.mutate();
  };
  return (
    <form onSubmit={submit} className="new-run" noValidate>
      <div className="new-run-main">
        <h1 className="t-h1">New run</h1>
        <p className="text2 new-run-lead">
          {from === null
            ? "Every field has a default that works: the button alone starts a run."
            : `Begun from ${text(told?.experiment_name) ?? from}; what you change is changed.`}
        </p>
        <section className="card new-run-card" aria-label="What is trained">
          <SegmentedControl
            className="new-run-kind"
            aria-label="Kind of run"
            value={kind}
            onChange={(next) => setKind(next as Kind)}
            data={[
              { value: "centralized", label: "Centralised" },
              { value: "federated", label: "Federated" },
            ]}
          />
          <TextInput
            label="Name"
            description="1 to 200 printable characters. Runs of one name stand together."
            placeholder={kind === "federated" ? "federated" : "pneumonia"}
            value={name}
            maxLength={200}
            error={faults.get("experiment_name")}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label="Images"
            description="A path on the server (npz, folder, CSV or zip), or the word phantoms. Left empty: what FPD_DATA names, else the public PneumoniaMNIST, else phantoms."
            placeholder="chosen by the server"
            value={source}
            spellCheck={false}
            error={faults.get("source_path")}
            onChange={(event) => setSource(event.currentTarget.value)}
          />
        </section>
        <section
          className="card new-run-card new-run-grid"
          aria-label="Main settings"
          aria-busy={schema.isPending}
        >
          {schema.error !== null && <Unreadable problem={schema.error} />}
          {first.map((field) => (
            <SchemaField key={field.name} {...fieldProps(field)} />
          ))}
        </section>
        <section className="card new-run-card">
          <button
            type="button"
            className="new-run-all"
            aria-expanded={all}
            aria-controls="all-settings"
            onClick={() => setAll(!all)}
          >
            {all ? <IconChevronDown size={16} aria-hidden /> : <IconChevronRight size={16} aria-hidden />}
            All settings
            <span className="text3 t-note">{rest.length} more, each with its default</span>
          </button>
          <Collapse expanded={all} transitionDuration={0}>
            <div id="all-settings" className="new-run-grid">
              {rest.map((field) => (
                <SchemaField key={field.name} {...fieldProps(field)} />
              ))}
            </div>
          </Collapse>
        </section>
      </div>
      <aside className="new-run-side" aria-label="Start">
        <div className="card new-run-card">
          <Button
            type="submit"
            size="md"
            fullWidth
            loading={start.isPending}
            leftSection={<IconPlayerPlay size={16} aria-hidden />}
          >
            Start {kind === "federated" ? "federated" : "centralised"} run
          </Button>
          <p className="t-note text3">
            It is a process of its own: it goes on when this page or the server is closed.
          </p>
          {start.error !== null && (
            <Notice
              color="bad"
              variant="light"
              icon={<IconAlertTriangle size={16} />}
              title={start.error.title}
            >
              {start.error.detail}
            </Notice>
          )}
        </div>
        {told !== null && <Edited from={text(told.experiment_name) ?? from ?? ""} edited={edited} />}
        <Same kind={kind} body={body} />
      </aside>
    </form>
  );
}

/** What is not as it was in the run that the form began from. */
function Edited({ from, edited }: { readonly from: string; readonly edited: readonly Change[] }) {
  return (
    <div className="card new-run-card">
      <h2 className="t-title">Changed from {from}</h2>
      {edited.length === 0 ? (
        <p className="t-note text3">Nothing yet: it is the same run again.</p>
      ) : (
        <ul className="new-run-edited">
          {edited.map(({ name, before, now }) => (
            <li key={name}>
              {labelOf(name)}: <span className="text3">{shown(before)}</span> → <b>{shown(now)}</b>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Only what was said goes to the server; it knows the defaults better. */
function bodyOf(
  name: string,
  source: string,
  fields: readonly Field[],
  values: Readonly<Record<string, Value>>,
) {
  const config = changed(fields, values);
  return {
    ...(name.trim() === "" ? {} : { experiment_name: name.trim() }),
    ...(source.trim() === "" ? {} : { source_path: source.trim() }),
    ...(Object.keys(config).length === 0 ? {} : { config }),
  };
}

/** The same start as a command, to be pasted. */
function Same({ kind, body }: { readonly kind: Kind; readonly body: object }) {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  const command = `curl ${window.location.origin}/api/${kind}/train \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
  return (
    <div className="card new-run-card">
      <div className="new-run-same">
        <h2 className="t-title">The same from a terminal</h2>
        <CopyButton value={command}>
          {({ copied, copy }) => (
            <Button
              variant="default"
              size="xs"
              leftSection={<IconCopy size={14} aria-hidden />}
              onClick={copy}
            >
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      </div>
      {/* Scrolled by keyboard too. */}
      <Code block tabIndex={0}>
        {command}
      </Code>
    </div>
  );
}

function Unreadable({ problem }: { readonly problem: Problem }) {
  return (
    <Notice color="warn" icon={<IconAlertTriangle size={16} />} title={problem.title}>
      {problem.detail} The settings cannot be listed; a run starts with its defaults all the same.
    </Notice>
  );
}
