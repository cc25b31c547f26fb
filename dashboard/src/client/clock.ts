/** Times as people read them: local, UTC on hover. */

let inUtc = false;

/** Whether times are written in UTC instead of by this machine's clock; screens that are opened from then on show it. */
export function writeTimesInUtc(utc: boolean): void {
  inUtc = utc;
}

/** A date whose local parts (hours, day, …) are those to be written. */
export function writtenDate(at: number): Date {
  const date = new Date(at);
  return inUtc ? new Date(at + date.getTimezoneOffset() * 60_000) : date;
}

/** "10:24:37", in local time unless UTC was asked for. */
export function clockTime(at: number): string {
  const date = writtenDate(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** "2026-11-24 10:24:37 UTC", for hovering. */
export function utcTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
