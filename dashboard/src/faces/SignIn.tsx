import { AppShell, Button, PasswordInput } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { LiveRegion } from "../app/LiveRegion";
import { Logo } from "../app/Logo";
import { Notice } from "../app/Notice";
import { useTitle } from "../app/title";
import { Problem } from "../client/api";
import { session } from "../client/session";
import "./faces.css";

/** What the page is where the server needs a token and has none: one field, and who has tokens. */
export function SignIn({ ended }: { readonly ended: boolean }) {
  useTitle("Sign in");
  const [token, setToken] = useState("");
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setAsking(true);
    setProblem(null);
    try {
      await session.signIn(token.trim());
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setAsking(false);
    }
  };
  return (
    <AppShell header={{ height: 48 }} padding={0}>
      <AppShell.Header className="header">
        <span className="brand">
          <Logo />
          <span>Pneumonia training</span>
        </span>
      </AppShell.Header>
      <AppShell.Main id="main" className="main">
        <form className="card sign-in" onSubmit={submit}>
          <h1 className="t-h1">{ended ? "Your token has ended" : "Sign in"}</h1>
          <p className="text2">
            {ended
              ? "It has expired or was revoked. Runs go on; with another token this page does too."
              : "This server shows its runs to those who have a token."}
          </p>
          {/* Password managers, and Chromium's console, ask for whom the secret is. */}
          <input hidden readOnly type="text" name="username" autoComplete="username" value="token" />
          <PasswordInput
            label="Token"
            placeholder="fpd_…"
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="current-password"
            spellCheck={false}
            maxLength={200}
            required
            withAsterisk={false}
            data-autofocus
            autoFocus
            visibilityToggleButtonProps={{
              "aria-label": "Show the token",
              tabIndex: 0,
              "aria-hidden": false,
            }}
          />
          {problem !== null && (
            <Notice color="bad" icon={<IconAlertTriangle size={16} />} title={problem.title}>
              {problem.detail}
            </Notice>
          )}
          <div>
            <Button type="submit" loading={asking} disabled={token.trim() === ""}>
              Sign in
            </Button>
          </div>
          <p className="t-note text3">
            Whoever runs the server makes one: <code>fpd token create NAME --role viewer</code>
          </p>
        </form>
        <footer className="footer t-note">For research, not a medical device.</footer>
      </AppShell.Main>
      <LiveRegion />
    </AppShell>
  );
}
