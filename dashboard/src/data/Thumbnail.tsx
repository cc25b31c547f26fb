import { imageUrl, type Source } from "../client/api";
import type { Split } from "./sources";

interface Props {
  source: Source;
  split: Split;
  place: number;
  label: string | null;
  /** What is said below it, beside its place. */
  words?: string;
}

/** One image of a source in its reserved square, fetched when it comes into sight. */
export function Thumbnail({ source, split, place, label, words }: Props) {
  const about = [label, words].filter(Boolean).join(", ");
  return (
    <li className="thumbnail">
      <img
        src={imageUrl(source, split, place)}
        alt={`${split} ${place}${about ? `, ${about}` : ""}`}
        loading="lazy"
        decoding="async"
        width={112}
        height={112}
      />
      <span>
        <b>{place}</b> {label}
      </span>
      {words && <span className="text3">{words}</span>}
    </li>
  );
}
