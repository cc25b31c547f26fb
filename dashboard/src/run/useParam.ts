import { useSearchParams } from "wouter";

/** A choice that stands in the URL, so that a link shows the same; the default leaves no trace. */
export function useParam<Value extends string>(
  name: string,
  allowed: readonly Value[],
  usual: Value,
): [Value, (value: Value) => void] {
  const [params, setParams] = useSearchParams();
  const told = params.get(name);
  const value = allowed.find((each) => each === told) ?? usual;
  const set = (next: Value) => {
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (next === usual) after.delete(name);
        else after.set(name, next);
        return after;
      },
      { replace: true },
    );
  };
  return [value, set];
}
