/** Stands where there is nothing to show. */
export function None() {
  return (
    <span className="none">
      <span aria-hidden="true">–</span>
      <span className="visually-hidden">not known</span>
    </span>
  );
}
