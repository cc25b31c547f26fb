import { count } from "../client/numbers";

interface Props {
  readonly page: number;
  readonly limit: number;
  readonly shown: number;
  readonly total: number;
  readonly go: (page: number) => void;
}

/** "1 to 11 of 44", and the way to the others. */
export function Pages({ page, limit, shown, total, go }: Props) {
  const first = (page - 1) * limit + 1;
  return (
    <nav className="pages" aria-label="Pages">
      <span className="text3">
        {count(first)} to {count(first + shown - 1)} of {count(total)}
      </span>
      {page > 1 && (
        <button type="button" className="link" onClick={() => go(page - 1)}>
          Previous
        </button>
      )}
      {first + shown - 1 < total && (
        <button type="button" className="link" onClick={() => go(page + 1)}>
          Next
        </button>
      )}
    </nav>
  );
}
