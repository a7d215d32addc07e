/** What a measure found, as plain values; the table and the JSON are made from them. */
export type Unit = 'µs' | 'ms' | 's' | 'kB' | 'MB' | '%' | '';

/** What would be good enough: an amount of ours, or our share of the peer's in the same run. */
type Goal =
  | { readonly kind: 'at-most'; readonly value: number }
  | { readonly kind: 'ratio-at-most'; readonly ratio: number };

export function atMost(value: number): Goal {
  return { kind: 'at-most', value };
}

/** A share of the peer's amount. */
export function atMostOfPeer(ratio: number): Goal {
  return { kind: 'ratio-at-most', ratio };
}

export interface Finding {
  readonly what: string;
  readonly unit: Unit;
  readonly ours: number;
  readonly peer?: { readonly name: string; readonly value: number };
  /** Absent: shown for comparison only. */
  readonly goal?: Goal;
  /** What limits it: printed when the goal was missed. */
  readonly limitedBy?: string;
}

/** One measure, taken or not. */
export type MeasureReport =
  | {
      readonly kind: 'taken';
      readonly name: string;
      /** One line: what the figures include and what they leave out. */
      readonly includes: string;
      /** Sizes and counts, such as '100 services, 100 kills'. */
      readonly counts: string;
      readonly findings: readonly Finding[];
      /** What could not be compared, and why. */
      readonly leftOut: readonly string[];
    }
  | { readonly kind: 'failed'; readonly name: string; readonly reason: string };

export type Grade = 'met' | 'missed' | 'no peer' | 'shown';

export function ratioOf({ ours, peer }: Finding): number | undefined {
  return peer === undefined || peer.value === 0 ? undefined : ours / peer.value;
}

export function judge(finding: Finding): Grade {
  const { goal, ours } = finding;
  if (goal === undefined) return 'shown';
  if (goal.kind === 'at-most') return ours <= goal.value ? 'met' : 'missed';
  const ratio = ratioOf(finding);
  if (ratio === undefined) return 'no peer';
  return ratio <= goal.ratio ? 'met' : 'missed';
}
