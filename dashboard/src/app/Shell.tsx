import {
  ActionIcon,
  AppShell,
  Kbd,
  Menu,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { spotlight } from "@mantine/spotlight";
import {
  IconArrowsDiff,
  IconBell,
  IconChevronLeft,
  IconDots,
  IconKeyboard,
  IconLogout,
  IconMoon,
  IconPhoto,
  IconPlus,
  IconSearch,
  IconSettings,
  IconSun,
  IconUser,
} from "@tabler/icons-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { Link, useLocation } from "wouter";
import { useUnseen } from "../alerts/useUnseen";
import { mayOperate, session } from "../client/session";
import { useMayOperate, useSession } from "../hooks/useSession";
import { KeyList } from "./KeyList";
import { useKeyboard, useShortcut } from "./keys";
import { LineIndicator } from "./LineIndicator";
import { LiveRegion } from "./LiveRegion";
import { Logo } from "./Logo";
import { NewPage } from "./NewPage";
import { usePreferences } from "./preferences";
import { useCurrentTitle } from "./title";

const Notifier = lazy(() => import("../settings/Notifier"));

const PHONE = "(max-width: 719.98px)";

/** What is round every screen: the header, the footer, and the one live region. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const [, go] = useLocation();
  const [listed, setListed] = useState(false);
  const { notify } = usePreferences();
  const phone = useMediaQuery(PHONE, window.matchMedia(PHONE).matches, { getInitialValueInEffect: false });
  useKeyboard();
  useShortcut("g r", "go to the runs", () => go("/"));
  useShortcut("g c", "compare runs", () => go("/compare"));
  useShortcut("g a", "go to the alerts", () => go("/alerts"));
  useShortcut("g s", "go to the settings", () => go("/settings"));
  useShortcut("g d", "go to the data", () => go("/data"), "Everywhere", useMayOperate());
  useShortcut("n", "new run", () => go("/new"), "Everywhere", useMayOperate());
  useShortcut("?", "this list", () => setListed(true));
  useShortcut("Ctrl+K", "go to a run or an action", () => spotlight.open());
  const openKeys = () => setListed(true);
  return (
    <AppShell header={{ height: 48 }} padding={0}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <AppShell.Header className="header">
        {phone ? <PhoneHeader openKeys={openKeys} /> : <WideHeader openKeys={openKeys} />}
      </AppShell.Header>
      <AppShell.Main id="main" className="main" tabIndex={-1}>
        {children}
        <footer className="footer t-note">For research, not a medical device.</footer>
        {/* Mantine puts menus, lists and dialogs into the node of this name: inside the page's main landmark. */}
        <div data-mantine-shared-portal-node="true" />
      </AppShell.Main>
      <LiveRegion />
      {notify && (
        <Suspense fallback={null}>
          <Notifier />
        </Suspense>
      )}
      <NewPage />
      <KeyList opened={listed} close={() => setListed(false)} />
    </AppShell>
  );
}

function WideHeader({ openKeys }: { readonly openKeys: () => void }) {
  const operates = useMayOperate();
  return (
    <>
      <Link href="/" className="brand">
        <Logo />
        <span>Pneumonia training</span>
      </Link>
      <nav aria-label="Screens" className="nav">
        <NavLink href="/" also="/runs">
          Runs
        </NavLink>
        <NavLink href="/compare">Compare</NavLink>
        {/* The last: its count pushes nothing along. */}
        <NavLink href="/alerts">
          Alerts
          <AlertCount />
        </NavLink>
        {operates && <NavLink href="/data">Data</NavLink>}
      </nav>
      <button type="button" className="goto" onClick={() => spotlight.open()} aria-keyshortcuts="Control+K">
        <IconSearch size={16} aria-hidden />
        <span>Go to run or action</span>
        <Kbd size="xs">Ctrl K</Kbd>
      </button>
      <LineIndicator />
      <ThemeButton />
      <Tooltip label="Keyboard shortcuts (?)">
        <ActionIcon variant="subtle" color="ink" size={32} aria-label="Keyboard shortcuts" onClick={openKeys}>
          <IconKeyboard size={18} stroke={1.6} aria-hidden />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Settings">
        <ActionIcon
          component={Link}
          href="/settings"
          variant="subtle"
          color="ink"
          size={32}
          aria-label="Settings"
        >
          <IconSettings size={18} stroke={1.6} aria-hidden />
        </ActionIcon>
      </Tooltip>
      <Person />
    </>
  );
}

/** How many alerts need attention that this browser has not shown. */
function AlertCount() {
  const count = useUnseen();
  if (count === 0) return null;
  return (
    <span className="alert-count">
      {count > 99 ? "99+" : count}
      <span className="visually-hidden"> need attention</span>
    </span>
  );
}

/** Who is signed in, and the way out; nothing on a server that demands no token. */
function Person() {
  const who = useSession();
  if (who.kind !== "known" || !who.tokens) return null;
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="ink"
          size={32}
          aria-label={`Signed in as ${who.name}, ${who.role}`}
        >
          <IconUser size={18} stroke={1.6} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {who.name}, {who.role}
        </Menu.Label>
        <SignOut />
      </Menu.Dropdown>
    </Menu>
  );
}

function SignOut() {
  return (
    <Menu.Item
      leftSection={<IconLogout size={16} />}
      // Where the server does not answer, the cookie stays and so does the page; it says itself that it is away.
      onClick={() => void session.signOut().catch(() => undefined)}
    >
      Sign out
    </Menu.Item>
  );
}

function PhoneHeader({ openKeys }: { readonly openKeys: () => void }) {
  const { title, back, menu } = useCurrentTitle();
  const [, go] = useLocation();
  const { dark, toggle } = useTheme();
  const who = useSession();
  const operates = mayOperate(who);
  return (
    <>
      {back === null ? (
        <Link href="/" className="brand">
          <Logo />
          <span>Pneumonia training</span>
        </Link>
      ) : (
        <>
          <Link href={back} className="phone-back" aria-label="Back">
            <IconChevronLeft size={24} aria-hidden />
          </Link>
          <span className="phone-title">{title}</span>
        </>
      )}
      <LineIndicator />
      {menu ?? (
        <Menu>
          <Menu.Target>
            <ActionIcon variant="subtle" color="ink" size={44} aria-label="More">
              <IconDots size={20} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {operates && (
              <Menu.Item leftSection={<IconPlus size={16} />} onClick={() => go("/new")}>
                New run
              </Menu.Item>
            )}
            <Menu.Item leftSection={<IconArrowsDiff size={16} />} onClick={() => go("/compare")}>
              Compare
            </Menu.Item>
            <Menu.Item leftSection={<IconBell size={16} />} onClick={() => go("/alerts")}>
              Alerts
              <AlertCount />
            </Menu.Item>
            <Menu.Item leftSection={<IconSettings size={16} />} onClick={() => go("/settings")}>
              Settings
            </Menu.Item>
            {operates && (
              <Menu.Item leftSection={<IconPhoto size={16} />} onClick={() => go("/data")}>
                Data
              </Menu.Item>
            )}
            <Menu.Item leftSection={<IconSearch size={16} />} onClick={() => spotlight.open()}>
              Go to run or action
            </Menu.Item>
            <Menu.Item leftSection={dark ? <IconSun size={16} /> : <IconMoon size={16} />} onClick={toggle}>
              {dark ? "Light theme" : "Dark theme"}
            </Menu.Item>
            <Menu.Item leftSection={<IconKeyboard size={16} />} onClick={openKeys}>
              Keyboard shortcuts
            </Menu.Item>
            {who.kind === "known" && who.tokens && <SignOut />}
          </Menu.Dropdown>
        </Menu>
      )}
    </>
  );
}

function NavLink({
  href,
  also,
  children,
}: {
  readonly href: string;
  readonly also?: string;
  readonly children: ReactNode;
}) {
  const [location] = useLocation();
  const here = location === href || (also !== undefined && location.startsWith(`${also}/`));
  return (
    <Link href={href} className="nav-link" aria-current={here ? "page" : undefined}>
      {children}
    </Link>
  );
}

/** The theme follows the system until somebody chooses; the choice is remembered by Mantine. */
function useTheme(): { readonly dark: boolean; readonly toggle: () => void } {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light", { getInitialValueInEffect: false }) === "dark";
  return { dark, toggle: () => setColorScheme(dark ? "light" : "dark") };
}

function ThemeButton() {
  const { dark, toggle } = useTheme();
  const label = dark ? "Light theme" : "Dark theme";
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="ink"
        size={32}
        aria-label={label}
        onClick={toggle}
        className="header-icons"
      >
        {dark ? (
          <IconSun size={18} stroke={1.6} aria-hidden />
        ) : (
          <IconMoon size={18} stroke={1.6} aria-hidden />
        )}
      </ActionIcon>
    </Tooltip>
  );
}
