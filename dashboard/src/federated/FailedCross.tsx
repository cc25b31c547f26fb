/** The red cross of a failed round; the shape says it without the colour. */
export function FailedCross() {
  return (
    <svg width="8" height="8" viewBox="0 0 8 8" aria-hidden="true">
      <path d="M1 1l6 6M7 1L1 7" stroke="var(--bad)" strokeWidth="1.8" strokeLinecap="round" />
    </svg>
  );
}
