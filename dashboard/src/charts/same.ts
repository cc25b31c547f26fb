/** Whether two charts would look the same, so that nothing is painted for nothing. */

/** Compares plain values, arrays and sets by content; anything else by identity. */
export function sameContent(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one)) {
    return (
      Array.isArray(other) &&
      one.length === other.length &&
      one.every((each, i) => sameContent(each, other[i]))
    );
  }
  if (one instanceof Set) {
    return other instanceof Set && one.size === other.size && [...one].every((each) => other.has(each));
  }
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => key in other && sameContent(Reflect.get(one, key), Reflect.get(other, key)));
}
