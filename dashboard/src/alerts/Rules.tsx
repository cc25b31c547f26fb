import { ActionIcon, Button, TextInput, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { Notice } from "../app/Notice";
import { listRules, makeRule, type Problem, type Rule, type RuleList, removeRule } from "../client/api";
import { plural } from "../client/numbers";
import { useMayOperate } from "../hooks/useSession";

/** The rules there are, who hears of them, and for an operator the form for another. */
export function Rules() {
  const operates = useMayOperate();
  const rules = useQuery<RuleList, Problem>({
    queryKey: ["rules"],
    queryFn: ({ signal }) => listRules(signal),
    refetchInterval: 15_000,
  });
  return (
    <aside className="alerts-side" aria-label="Rules">
      <section className="card rules">
        <h2 className="t-title">Rules</h2>
        <p className="t-note text3">
          What a rule finds stands in the list here, once for each run, and is told to the targets below.
        </p>
        {rules.error !== null && (
          <Notice color="warn" icon={<IconAlertTriangle size={16} />} title={rules.error.title}>
            {rules.error.detail}
          </Notice>
        )}
        {rules.data?.rules.length === 0 && <p className="text2">No rule yet.</p>}
        {rules.data !== undefined && rules.data.rules.length > 0 && (
          <ul>
            {rules.data.rules.map((rule) => (
              <Row key={rule.id} rule={rule} operates={operates} />
            ))}
          </ul>
        )}
        {operates && <NewRule />}
      </section>
      {rules.data !== undefined && <Targets told={rules.data} />}
    </aside>
  );
}

function Row({ rule, operates }: { readonly rule: Rule; readonly operates: boolean }) {
  const client = useQueryClient();
  const remove = useMutation<void, Problem, string>({
    mutationFn: removeRule,
    onSettled: () => void client.invalidateQueries({ queryKey: ["rules"] }),
  });
  const whom = rule.to.length === 0 ? "" : `, told to ${rule.to.join(", ")}`;
  const whose = rule.source === "file" ? ", in the operator's file" : rule.by === "" ? "" : `, by ${rule.by}`;
  return (
    <li className="rule">
      <div>
        <b>{rule.when}</b>
        <div className="t-note text3">
          {rule.runs === "*" ? "all runs" : `runs ${rule.runs}`}
          {whom}
          {whose}
        </div>
      </div>
      {operates && rule.source === "page" && (
        <Tooltip label="Remove this rule">
          <ActionIcon
            variant="subtle"
            color="ink"
            size={28}
            aria-label={`Remove the rule ${rule.when}`}
            loading={remove.isPending}
            onClick={() => remove.mutate(rule.id)}
          >
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      )}
    </li>
  );
}

function NewRule() {
  const client = useQueryClient();
  const [when, setWhen] = useState("");
  const [runs, setRuns] = useState("");
  const make = useMutation<Rule, Problem>({
    mutationFn: () => makeRule(when, runs),
    onSuccess: () => {
      setWhen("");
      setRuns("");
      void client.invalidateQueries({ queryKey: ["rules"] });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (when.trim() !== "") make.mutate();
  };
  return (
    <form className="rule-new" onSubmit={submit} noValidate>
      <TextInput
        label="Tell when"
        description="finished, failed, stalled, stopped, or a metric and a line"
        placeholder="val_auroc > 0.95"
        value={when}
        maxLength={150}
        spellCheck={false}
        error={make.error === null ? undefined : `${make.error.title} ${make.error.detail}`}
        onChange={(event) => setWhen(event.currentTarget.value)}
      />
      <TextInput
        label="Of which runs"
        description="A pattern for name, experiment or id; left empty: all"
        placeholder="all runs"
        value={runs}
        maxLength={200}
        spellCheck={false}
        onChange={(event) => setRuns(event.currentTarget.value)}
      />
      <Button
        type="submit"
        variant="default"
        loading={make.isPending}
        disabled={when.trim() === ""}
        leftSection={<IconPlus size={16} aria-hidden />}
      >
        Make the rule
      </Button>
    </form>
  );
}

function Targets({ told }: { readonly told: RuleList }) {
  const { targets, quiet } = told;
  return (
    <section className="card rules">
      <h2 className="t-title">Who is told</h2>
      {targets.length === 0 ? (
        <p className="text2">
          Nobody by mail or chat: the operator names targets in a file (<code>fpd serve --notify FILE</code>).
          This browser can tell you itself: <Link href="/settings">settings</Link>.
        </p>
      ) : (
        <ul>
          {targets.map((target) => (
            <li className="rule" key={target.name}>
              <div>
                <b>{target.name}</b> <span className="text3">{target.service}</span>
                <div className="t-note text3">
                  {plural(target.told, "notice")} told
                  {target.waiting > 0 && `, ${target.waiting} waiting`}
                </div>
                {target.trouble !== null && (
                  <div className="t-note rule-trouble">Does not take messages: {target.trouble}</div>
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
      {quiet !== null && (
        <p className="t-note text3">
          Quiet from {quiet.begins} to {quiet.ends} ({quiet.zone ?? "the server's time"}); what happens then
          is told together afterwards{quiet.failures === "through" ? ", failures at once" : ""}.
        </p>
      )}
    </section>
  );
}
