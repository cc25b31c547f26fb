import { Alert, type AlertProps } from "@mantine/core";
import { useEffect } from "react";
import { speak } from "./voice";

interface Props extends Omit<AlertProps, "title" | "role"> {
  readonly title: string;
  /** Said at once by the page's voice; a notice of its own would be a second live region. */
  readonly spoken?: boolean;
}

/** Something the reader should know, in a box. */
export function Notice({ title, spoken = true, ...rest }: Props) {
  useEffect(() => {
    if (spoken) speak(title, true);
  }, [title, spoken]);
  return <Alert {...rest} title={title} role="note" variant="light" />;
}
