/** Times as the page writes them: local, UTC on hover. */

import { median as middle, durationWords as secondsInWords } from "../client/wording";

export { clockTime, utcTime } from "../client/clock";

/** "48 s", "6 min 50 s", "1 h 4 min", of milliseconds: the same words as in the status sentence. */
export function durationWords(milliseconds: number): string {
  return secondsInWords(milliseconds / 1000);
}

/** "3:12", as wide in every cell of a row; "1:04:10" from an hour on. */
export function minuteSecond(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const h = Math.floor(seconds / 3600);
  const min = Math.floor((seconds % 3600) / 60);
  return h > 0 ? `${h}:${two(min)}:${two(seconds % 60)}` : `${min}:${two(seconds % 60)}`;
}

/** The middle of the values, `null` without any. */
export function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : middle(values);
}
