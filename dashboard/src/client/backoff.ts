/**
 * Milliseconds to wait before try number `tries` (from 1): anything from 0 to a bound that doubles.
 *
 * Full jitter, after Marc Brooker, "Exponential Backoff and Jitter" (AWS, 2015): a server that restarts
 * is not met by all its viewers in the same instant.
 */
export function fullJitter(tries: number, random: () => number, { base = 500, most = 10_000 } = {}): number {
  const bound = Math.min(most, base * 2 ** Math.min(Math.max(tries, 1) - 1, 30));
  return Math.floor(random() * bound);
}
