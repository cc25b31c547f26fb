import { Skeleton } from "@mantine/core";

/** The place of a screen that is on its way. */
export function Loading() {
  return (
    <div aria-hidden="true" className="loading">
      <Skeleton height={26} width={280} />
      <Skeleton height={22} width="60%" />
      <Skeleton height={420} />
    </div>
  );
}
