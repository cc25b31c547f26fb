/** Text that does not move when its numbers grow. */

/** As wide as a digit. */
const FIGURE_SPACE = "\u2007";

/** The number padded on the left to `digits` digits, so that a line that ends at a margin begins where it began. */
export function padded(text: string, digits: number): string {
  return text.padStart(digits, FIGURE_SPACE);
}
