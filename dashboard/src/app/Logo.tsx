/** The page's sign: a curve that rises, in a frame. */
export function Logo() {
  return (
    <svg width="24" height="24" viewBox="0 0 24 24" fill="none" aria-hidden="true">
      <rect x="1.5" y="1.5" width="21" height="21" rx="5" stroke="var(--ink)" strokeWidth="1.6" />
      <path
        d="M5 16c2.200-1 2.200-7 4.300-7s1.900 6 4.200 6S15.800 7.500 19 7.500"
        stroke="var(--act)"
        strokeWidth="2"
        strokeLinecap="round"
      />
    </svg>
  );
}
