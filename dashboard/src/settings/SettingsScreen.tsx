import { Button, Checkbox, SegmentedControl, Select, Switch, useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { Link } from "wouter";
import { keys, useShortcuts } from "../app/keys";
import { lineWords } from "../app/LineIndicator";
import { type Event, PACES, preferences, usePreferences, type Zone } from "../app/preferences";
import { useTitle } from "../app/title";
import { getHealth, getReady, type Problem } from "../client/api";
import { clockTime, writeTimesInUtc } from "../client/clock";
import { feeds } from "../client/feeds";
import { session } from "../client/session";
import { useLine } from "../hooks/useLine";
import { useNow } from "../hooks/useNow";
import { useSession } from "../hooks/useSession";
import { tell } from "./Notifier";
import "./settings.css";

/** How the page is to be in this browser, and what it knows of the server. */
export default function SettingsScreen() {
  useTitle("Settings", { back: "/" });
  useEffect(() => feeds().hold(feeds().runs()), []);
  return (
    <div className="settings">
      <h1 className="t-h1">Settings</h1>
      <h2 className="t-title">This browser</h2>
      <p className="text2 settings-lead">Kept in this browser alone; nobody else and no server sees it.</p>
      <section className="card settings-card" aria-label="This browser">
        <Theme />
        <Times />
        <Letters />
        <Pace />
        <Notifications />
      </section>
      <h2 className="t-title">This server</h2>
      <section className="card settings-card" aria-label="This server">
        <Connection />
        <Person />
        <Server />
      </section>
    </div>
  );
}

function Row({
  name,
  help,
  children,
}: {
  readonly name: string;
  readonly help: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <div className="settings-row">
      <div>
        <div className="settings-name">{name}</div>
        <div className="t-note text3">{help}</div>
      </div>
      <div className="settings-value">{children}</div>
    </div>
  );
}

function Theme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Row name="Theme" help="The system's, unless you choose.">
      <SegmentedControl
        aria-label="Theme"
        value={colorScheme}
        onChange={(next) => setColorScheme(next as typeof colorScheme)}
        data={[
          { value: "auto", label: "System" },
          { value: "light", label: "Light" },
          { value: "dark", label: "Dark" },
        ]}
      />
    </Row>
  );
}

function Times() {
  const { zone } = usePreferences();
  const now = useNow();
  return (
    <Row name="Times" help={`Now ${clockTime(now)}. UTC stands on hover either way.`}>
      <SegmentedControl
        aria-label="Times"
        value={zone}
        onChange={(next) => {
          preferences.change({ zone: next as Zone });
          writeTimesInUtc(next === "utc");
        }}
        data={[
          { value: "local", label: "Local" },
          { value: "utc", label: "UTC" },
        ]}
      />
    </Row>
  );
}

function Letters() {
  const { lettersOff } = useShortcuts();
  return (
    <Row name="Single letters act as shortcuts" help="They never act in a text field; ? lists them.">
      <Switch
        aria-label="Single letters act as shortcuts"
        checked={!lettersOff}
        onChange={(event) => keys.setLettersOff(!event.currentTarget.checked)}
      />
    </Row>
  );
}

function Pace() {
  const { speakEvery } = usePreferences();
  return (
    <Row
      name="Spoken at most every"
      help="How often a screen reader hears the status sentence; failures are said at once."
    >
      <Select
        aria-label="Spoken at most every"
        value={String(speakEvery)}
        allowDeselect={false}
        w={110}
        onChange={(next) => preferences.change({ speakEvery: Number(next) })}
        data={PACES.map((pace) => ({ value: String(pace), label: `${pace} s` }))}
      />
    </Row>
  );
}

const EVENTS: readonly { readonly event: Event; readonly label: string }[] = [
  { event: "finished", label: "a run has finished" },
  { event: "failed", label: "a run has failed" },
  { event: "stalled", label: "a run has stalled: nothing is heard of it" },
  { event: "rules", label: "a metric has crossed the line of a rule" },
];

function Notifications() {
  const { notify, notifyOf } = usePreferences();
  const [permission, setPermission] = useState(permissionNow);
  const on = notify && permission === "granted";
  const change = async (wanted: boolean): Promise<void> => {
    if (wanted && permission === "default") {
      // Asked by this click alone, never by itself.
      const answer = await Notification.requestPermission();
      setPermission(answer);
      preferences.change({ notify: answer === "granted" });
      return;
    }
    preferences.change({ notify: wanted });
  };
  return (
    <Row
      name="Notifications"
      help={
        <>
          {HELP[permission]} Mail and chat are the operator's: <Link href="/alerts">alerts</Link> shows who is
          told.
        </>
      }
    >
      <Switch
        aria-label="Notifications"
        checked={on}
        disabled={permission === "denied" || permission === "none"}
        onChange={(event) => void change(event.currentTarget.checked)}
      />
      {on && (
        <fieldset className="settings-events">
          <legend className="t-note text3">Tell me when</legend>
          {EVENTS.map(({ event, label }) => (
            <Checkbox
              key={event}
              label={label}
              checked={notifyOf.includes(event)}
              onChange={({ currentTarget: { checked } }) =>
                preferences.change({
                  notifyOf: EVENTS.map((each) => each.event).filter((each) =>
                    each === event ? checked : notifyOf.includes(each),
                  ),
                })
              }
            />
          ))}
          <Button
            variant="default"
            size="xs"
            onClick={() =>
              tell(
                { tag: "test", title: "A test", body: "This browser can tell you about runs.", runId: "" },
                () => undefined,
              )
            }
          >
            Try it
          </Button>
        </fieldset>
      )}
    </Row>
  );
}

type Permission = NotificationPermission | "none";

function permissionNow(): Permission {
  return typeof Notification === "undefined" ? "none" : Notification.permission;
}

const HELP: Readonly<Record<Permission, string>> = {
  granted: "By the browser's own notifications, while a page of this server is open in it.",
  default:
    "By the browser's own notifications, while a page of this server is open in it. It asks you first.",
  denied: "This browser does not let the page show notifications; its settings for this site can.",
  none: "This browser shows no notifications here: they take HTTPS, or a page on this machine.",
};

function Connection() {
  const { line } = useLine();
  const words = lineWords(line);
  return (
    <Row name="Connection" help={words.hint}>
      <span className={`settings-line line-${words.tone}`}>
        {words.icon} {words.first} {words.second}
      </span>
    </Row>
  );
}

function Person() {
  const who = useSession();
  if (who.kind !== "known" || !who.tokens) {
    return (
      <Row
        name="Signed in"
        help="This server demands no token from this machine: whoever can open the page may start and stop runs."
      >
        not needed
      </Row>
    );
  }
  const may = who.role === "operator" ? "reads, starts, stops, changes rules" : "reads";
  return (
    <Row
      name="Signed in"
      help={`A token of the role ${who.role}: ${may}. The browser keeps a cookie, not the token.`}
    >
      {who.name}, {who.role}
      <Button
        variant="default"
        size="xs"
        // Where the server does not answer, the cookie stays and so does the page; it says itself that it is away.
        onClick={() => void session.signOut().catch(() => undefined)}
      >
        Sign out
      </Button>
    </Row>
  );
}

function Server() {
  const health = useQuery<{ version?: string }, Problem>({
    queryKey: ["health"],
    queryFn: ({ signal }) => getHealth(signal),
    refetchInterval: 10_000,
  });
  const ready = useQuery<unknown, Problem>({
    queryKey: ["ready"],
    queryFn: ({ signal }) => getReady(signal),
    refetchInterval: 10_000,
    retry: false,
  });
  return (
    <>
      <Row name="Version" help="Of the server; the page comes from it.">
        {health.data?.version ?? (health.error === null ? "…" : "not known")}
      </Row>
      <Row
        name="Health"
        help={ready.error === null ? "It answers, and what is new goes into its log." : ready.error.detail}
      >
        {ready.error !== null ? ready.error.title : ready.isPending ? "…" : "Well"}
      </Row>
    </>
  );
}
