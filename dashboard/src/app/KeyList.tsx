import { Kbd, Modal, Switch } from "@mantine/core";
import { Fragment } from "react";
import { keys, type Shortcut, useShortcuts } from "./keys";

/** What works on a page by the browser's and the components' own means. */
const ALSO: readonly Shortcut[] = [
  { keys: "Esc", does: "close what is open, or go back", where: "Everywhere" },
  { keys: "ArrowLeft ArrowRight", does: "move the cursor", where: "In a chart" },
  { keys: "Home End", does: "cursor to the first or the newest point", where: "In a chart" },
  { keys: "+", does: "zoom in, all charts of the page", where: "In a chart" },
  { keys: "-", does: "zoom out", where: "In a chart" },
  { keys: "0", does: "show the whole run", where: "In a chart" },
  { keys: "t", does: "show its table", where: "In a chart" },
];

/** The list that `?` opens, and the switch for single letters. */
export function KeyList({ opened, close }: { readonly opened: boolean; readonly close: () => void }) {
  const { list, lettersOff } = useShortcuts();
  const groups = grouped([...list, ...ALSO]);
  return (
    <Modal
      opened={opened}
      onClose={close}
      title="Keyboard shortcuts"
      size="md"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {[...groups].map(([where, each]) => (
        <section key={where} className="keys-group">
          <h3 className="t-note text3">{where}</h3>
          <dl>
            {unique(each).map((shortcut) => (
              <div key={shortcut.keys} className="keys-row">
                <dt>
                  <Combination keys={shortcut.keys} />
                </dt>
                <dd>{shortcut.does}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <Switch
        mt="md"
        label="Single letters act as shortcuts"
        description="They never act in a text field."
        checked={!lettersOff}
        onChange={(event) => keys.setLettersOff(!event.currentTarget.checked)}
      />
    </Modal>
  );
}

function grouped(list: readonly Shortcut[]): ReadonlyMap<string, readonly Shortcut[]> {
  const groups = new Map<string, Shortcut[]>();
  for (const each of list) groups.set(each.where, [...(groups.get(each.where) ?? []), each]);
  return groups;
}

function unique(list: readonly Shortcut[]): readonly Shortcut[] {
  return [...new Map(list.map((each) => [each.keys, each])).values()];
}

const SIGNS: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  "-": "−",
};

function Combination({ keys: combination }: { readonly keys: string }) {
  const parts = combination === "+" ? ["+"] : combination.split(/[ +]/);
  return (
    <>
      {parts.map((part, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one combination never change places
        <Fragment key={i}>
          {i > 0 && " "}
          <Kbd size="xs">{SIGNS[part] ?? part}</Kbd>
        </Fragment>
      ))}
    </>
  );
}
