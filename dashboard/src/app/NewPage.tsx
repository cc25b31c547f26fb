import { Button, CloseButton } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useLine } from "../hooks/useLine";
import { serverHasAnotherPage } from "./newPage";

/** Says that the server has a newer page, after a restart. It is loaded when the reader says so, never by itself. */
export function NewPage() {
  const { line } = useLine();
  const [newer, setNewer] = useState(false);
  const away = useRef(false);
  useEffect(() => {
    if (line.kind === "away") away.current = true;
    if (line.kind !== "live" || !away.current) return;
    away.current = false;
    void serverHasAnotherPage().then((is) => is && setNewer(true));
  }, [line.kind]);
  useEffect(() => {
    // A part of the page that is gone from the server: it belongs to a page of before.
    const gone = () => void serverHasAnotherPage().then((is) => is && setNewer(true));
    window.addEventListener("vite:preloadError", gone);
    return () => window.removeEventListener("vite:preloadError", gone);
  }, []);
  if (!newer) return null;
  return (
    <aside className="new-page t-note" aria-label="A newer page">
      <span>
        <b>The server was upgraded.</b> This page is of the version before; it goes on following.
      </span>
      <Button size="compact-sm" variant="default" onClick={() => window.location.reload()}>
        Load the new page
      </Button>
      <CloseButton size="sm" aria-label="Close" onClick={() => setNewer(false)} />
    </aside>
  );
}
