/** A share of a whole, 0 to 1, as a bar. */
export function Meter({
  label,
  ratio,
  text,
}: {
  readonly label: string;
  readonly ratio: number;
  readonly text: string;
}) {
  const percent = Math.round(Math.min(1, Math.max(0, ratio)) * 100);
  const level = ratio >= 0.95 ? 'bad' : ratio >= 0.85 ? 'warn' : 'calm';
  return (
    <div className="meter">
      <span className="meter-label">{label}</span>
      <div
        className="meter-track"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={text}
      >
        <div className={`meter-fill meter-${level}`} style={{ width: `${percent}%` }} />
      </div>
      <span className="meter-value">{text}</span>
    </div>
  );
}
