import { useEffect, useState } from "react";
import { voice } from "./voice";

/** The page's only live region. */
export function LiveRegion() {
  const [text, setText] = useState("");
  useEffect(() => voice.listen(setText), []);
  return (
    <div className="visually-hidden" role="status" aria-live="polite" aria-atomic="true">
      {text}
    </div>
  );
}
