import { z } from 'zod';
import { Count, Seq } from '../bounds.ts';

/** Up to which sequence a stream certainly holds what it held before the bus went back. */
const KeptUpTo = z.object({ stream: z.string().min(1).max(64), seq: Count });

/** One time that the bus went back, and what is known of how far. */
const Raise = z.object({
  incarnation: Seq,
  /** Of a stream that is not named nothing is certain. */
  kept: z.array(KeptUpTo).max(32),
});

/** So many times that the bus went back are told of each. */
export const MAX_RAISES = 16;

/**
 * Which life of the bus's store this is. A store that was restored, emptied, or that lost its last seconds in a power cut, goes
 * back in time, and hands out sequences a second time; each time the number rises, and never falls.
 */
export const Incarnation = z.object({
  incarnation: Seq,
  /** The last ones, oldest first. */
  raises: z.array(Raise).max(MAX_RAISES),
});
export type Incarnation = z.infer<typeof Incarnation>;

/**
 * Of what a stream had acknowledged in the incarnation `since`, up to which sequence it certainly still has it; 0 when nothing is
 * certain.
 */
export function certainlyKept({ incarnation, raises }: Incarnation, since: number, stream: string): number {
  let seq = Number.POSITIVE_INFINITY;
  for (let number = since + 1; number <= incarnation; number++) {
    const raise = raises.find((one) => one.incarnation === number);
    seq = Math.min(seq, raise?.kept.find((kept) => kept.stream === stream)?.seq ?? 0);
    if (seq === 0) break;
  }
  return seq;
}
