/**
 * Messages that a stream certainly held at some time: its sequence and when it was stored. Where the same sequence has another
 * time, or none any more, the stream went back behind it; and up to the newest that is still the same it lost nothing.
 */
export interface Witness {
  readonly seq: number;
  /** As the server writes it. */
  readonly storedAt: string;
  /** By the prober's wall clock, for thinning out only. */
  readonly notedAtMs: number;
}

const MINUTE_MS = 60_000;
/** Up to which age witnesses are kept, and how far apart. */
const SPACING: readonly { readonly untilMs: number; readonly apartMs: number }[] = [
  { untilMs: 2 * MINUTE_MS, apartMs: 0 },
  { untilMs: 120 * MINUTE_MS, apartMs: 5 * MINUTE_MS },
  { untilMs: 24 * 60 * MINUTE_MS, apartMs: 60 * MINUTE_MS },
];

/** With one more, and of the older ones as many as are of use; oldest first. */
export function addWitness(witnesses: readonly Witness[], added: Witness): readonly Witness[] {
  const kept: Witness[] = [];
  for (const witness of witnesses) {
    const ageMs = Math.abs(added.notedAtMs - witness.notedAtMs);
    const apartMs = SPACING.find(({ untilMs }) => ageMs <= untilMs)?.apartMs;
    // Measured from the older one: else who grows old is always too near to those behind it.
    const sinceMs = Math.abs(witness.notedAtMs - (kept.at(-1)?.notedAtMs ?? Number.NEGATIVE_INFINITY));
    if (apartMs !== undefined && sinceMs >= apartMs) kept.push(witness);
  }
  return [...kept, added];
}

/** What a look at the stream came to. */
export interface Standing {
  readonly hasGoneBack: boolean;
  /** Up to here it certainly holds what it held; absent when nobody can tell. */
  readonly keptUpTo?: number;
}

/** `storedAt` is asked for the newest witnesses first, until one is still there. @throws what it throws */
export async function compareWitnesses(
  witnesses: readonly Witness[],
  stream: { readonly firstSeq: number; readonly lastSeq: number },
  storedAt: (seq: number) => Promise<string | undefined>,
): Promise<Standing> {
  let hasGoneBack = false;
  for (const witness of witnesses.toReversed()) {
    if (witness.seq > stream.lastSeq) {
      hasGoneBack = true;
      continue;
    }
    // What was dropped for its age, or purged, says nothing.
    if (witness.seq < stream.firstSeq) break;
    const time = await storedAt(witness.seq);
    if (time === witness.storedAt) return { hasGoneBack, keptUpTo: witness.seq };
    hasGoneBack ||= time !== undefined;
  }
  return { hasGoneBack };
}
