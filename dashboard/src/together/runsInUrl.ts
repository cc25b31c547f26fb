/** Which runs an address compares: `/compare?runs=a,b`. */

/** As many as there are colours and marks that can be told apart in one chart, and still be read. */
export const MOST_RUNS = 10;

/** The runs an address names (`runs=a,b`), each once, in its order; what is beyond the tenth is left out. */
export function runsIn(told: string | null): readonly string[] {
  const named = (told ?? "").split(",").map((each) => unescaped(each.trim()));
  return [...new Set(named.filter((each) => each !== ""))].slice(0, MOST_RUNS);
}

/** The value of `runs` for these: a comma inside a name is kept apart from the one between two. */
export function runsText(ids: readonly string[]): string {
  return ids.map((id) => id.replaceAll("%", "%25").replaceAll(",", "%2C")).join(",");
}

function unescaped(told: string): string {
  return told.replaceAll("%2C", ",").replaceAll("%25", "%");
}
