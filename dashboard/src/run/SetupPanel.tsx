import { CopyButton, Modal, Tooltip } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import type { RunModel } from "../client/model";
import { useMayOperate } from "../hooks/useSession";
import { allSettings, mainSettings, type Setting } from "./setup";

/** The settings one looks for, and a way to all of them. */
export function SetupPanel({ model }: { model: RunModel }) {
  const [all, setAll] = useState(false);
  const operates = useMayOperate();
  const settings = mainSettings(model);
  const count = allSettings(model.config).length;
  return (
    <section className="setup" aria-label="Set-up">
      <div className="chart-head">
        <h2>Set-up</h2>
        <span className="tools">
          {count > 0 && (
            <button type="button" className="link t-note" onClick={() => setAll(true)}>
              all {count} settings
            </button>
          )}
        </span>
      </div>
      {settings.length === 0 && <p className="text3 t-note">The trainer told no settings.</p>}
      <Settings settings={settings} />
      {operates && (model.data.name || model.data.digest) && (
        <p className="setup-source t-note">
          <Link className="link" href={`/data?run=${encodeURIComponent(model.runId)}`}>
            what it was trained on
          </Link>
        </p>
      )}
      <Modal opened={all} onClose={() => setAll(false)} title={`All ${count} settings`} size="lg">
        <Settings settings={allSettings(model.config)} />
      </Modal>
    </section>
  );
}

export function Settings({ settings }: { settings: readonly Setting[] }) {
  return (
    <dl className="settings">
      {settings.map((setting) => (
        <div key={setting.name}>
          <dt>{setting.name}</dt>
          <dd>
            {setting.title ? (
              <CopyButton value={setting.title}>
                {({ copied, copy }) => (
                  <Tooltip label={copied ? "Copied" : `${setting.title} (click to copy)`}>
                    <button type="button" className="plain" onClick={copy}>
                      {setting.code ? <code>{setting.value}</code> : setting.value}
                    </button>
                  </Tooltip>
                )}
              </CopyButton>
            ) : setting.code ? (
              <code>{setting.value}</code>
            ) : (
              setting.value
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
