import { Button } from "@mantine/core";
import {
  IconArrowsSplit2,
  IconCheck,
  IconHistory,
  IconLink,
  IconPlayerPlay,
  IconRepeat,
  IconServer2,
} from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { RunModel, Sentence } from "../client/model";
import { useMayOperate } from "../hooks/useSession";
import { AttemptHistory } from "./Attempts";
import { PauseButton } from "./PauseButton";
import type { Pausing } from "./pause";
import { StatusSentence, StopButton, useCopyLink } from "./RunHeader";
import { PhantomBanner, StateBadge } from "./StateBadge";
import type { StateBadge as Badge } from "./state";
import { useParam } from "./useParam";

export const TABS = ["now", "charts", "events", "setup"] as const;
export type Tab = (typeof TABS)[number];

const LABELS: Readonly<Record<Tab, { word: string; icon: typeof IconHistory }>> = {
  now: { word: "Now", icon: IconPlayerPlay },
  charts: { word: "Charts", icon: IconArrowsSplit2 },
  events: { word: "Events", icon: IconHistory },
  setup: { word: "Set-up", icon: IconServer2 },
};

interface Props {
  model: RunModel;
  /** `null` where something else says it in its place. */
  sentence: Sentence | null;
  badge: Badge;
  onStop: (() => void) | null;
  pausing: Pausing;
  /** How it ended, in its place. */
  end: ReactNode;
  tabs: Readonly<Record<Tab, () => ReactNode>>;
}

/** One column and four tabs at the foot (picture 06). */
export function PhoneFrame({ model, sentence, badge, onStop, pausing, end, tabs }: Props) {
  const [tab, setTab] = useParam("tab", TABS, "now");
  return (
    <div className="run-page phone" data-federated={model.federated}>
      <header className="phone-head">
        <h1 className="visually-hidden">{model.name}</h1>
        <div className="phone-badges">
          <StateBadge badge={badge} />
          <PhantomBanner phantom={model.data.phantom} />
          <AttemptHistory model={model} />
        </div>
        {sentence && <StatusSentence sentence={sentence} />}
      </header>
      {end}
      {tabs[tab]()}
      {tab === "now" && <PhoneActions model={model} onStop={onStop} pausing={pausing} />}
      <nav className="phone-tabs" aria-label="Parts of this run">
        {TABS.map((each) => {
          const { word, icon: Icon } = LABELS[each];
          return (
            <button
              type="button"
              key={each}
              aria-current={each === tab ? "page" : undefined}
              onClick={() => {
                setTab(each);
                window.scrollTo({ top: 0 });
              }}
            >
              <Icon size={20} stroke={1.75} aria-hidden="true" />
              {word}
            </button>
          );
        })}
      </nav>
    </div>
  );
}

function PhoneActions({ model, onStop, pausing }: Pick<Props, "model" | "onStop" | "pausing">) {
  const { copied, copy } = useCopyLink();
  const operates = useMayOperate();
  const share = () => {
    // Where the phone has a share sheet, that is what "share" means; else the link is copied.
    if (typeof navigator.share !== "function") return copy();
    navigator.share({ title: model.name, url: window.location.href }).catch(() => undefined);
  };
  return (
    <div className="phone-actions">
      <PauseButton model={model} pausing={pausing} />
      {!model.end && <StopButton model={model} onStop={onStop} />}
      {model.end && operates && (
        <Button
          component={Link}
          href={`/new?from=${encodeURIComponent(model.runId)}`}
          variant="default"
          leftSection={<IconRepeat size={16} stroke={1.75} />}
        >
          Run again
        </Button>
      )}
      <Button
        variant="default"
        onClick={share}
        leftSection={copied ? <IconCheck size={16} stroke={1.75} /> : <IconLink size={16} stroke={1.75} />}
      >
        {copied ? "Copied" : "Share"}
      </Button>
    </div>
  );
}
