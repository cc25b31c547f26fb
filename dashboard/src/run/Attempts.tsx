import { Popover } from "@mantine/core";
import { IconEye, IconEyeOff } from "@tabler/icons-react";
import { tailWords } from "../client/attempts";
import type { RunModel } from "../client/model";
import { attemptRows, useTails } from "./attempts";

/** "attempt 2", which opens the run's small history. */
export function AttemptHistory({ model }: { model: RunModel }) {
  if (model.attempts.length === 0) return null;
  return (
    <Popover position="bottom-start" shadow="md" withinPortal>
      <Popover.Target>
        <button type="button" className="link attempt-link">
          attempt {model.attempt}
        </button>
      </Popover.Target>
      <Popover.Dropdown className="attempt-history">
        <table>
          <caption className="visually-hidden">The attempts of this run, newest first</caption>
          <thead>
            <tr>
              <th scope="col">Attempt</th>
              <th scope="col">from</th>
              <th scope="col">reached</th>
              <th scope="col">ended</th>
            </tr>
          </thead>
          <tbody>
            {attemptRows(model).map((row) => (
              <tr key={row.attempt} aria-current={row.now ? "true" : undefined}>
                <th scope="row">{row.attempt}</th>
                <td>{row.from}</td>
                <td>{row.reached}</td>
                <td>{row.ended}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <TailToggles model={model} />
      </Popover.Dropdown>
    </Popover>
  );
}

/** A quiet switch for each tail that a later attempt supersedes; nothing where there is none. */
export function TailToggles({ model }: { model: RunModel }) {
  const { all, shown, toggle } = useTails(model);
  if (all.length === 0) return null;
  return (
    <fieldset className="tails">
      <legend className="visually-hidden">Superseded, shown in the charts</legend>
      {all.map((tail) => {
        const on = shown.includes(tail);
        const Icon = on ? IconEye : IconEyeOff;
        return (
          <button
            type="button"
            key={tail.attempt}
            className="tail"
            aria-pressed={on}
            onClick={() => toggle(tail)}
          >
            <Icon size={14} stroke={1.75} aria-hidden="true" />
            <svg width={18} height={8} viewBox="0 0 18 8" aria-hidden="true" focusable="false">
              <line
                x1={0}
                x2={18}
                y1={4}
                y2={4}
                stroke="currentColor"
                strokeWidth={1.5}
                strokeDasharray="3 3"
              />
            </svg>
            {tailWords(model, tail)}
          </button>
        );
      })}
    </fieldset>
  );
}
