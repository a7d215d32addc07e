import { BadReplyError, BusAwayError, RequestTimeoutError, WrongLastSequenceError } from './errors.ts';

/** What became of one attempt to store a message behind the last one of its subject. */
export type StoreAttempt =
  | { readonly outcome: 'stored'; readonly seq: number }
  /** Certainly not stored; the subject's last sequence is another. */
  | { readonly outcome: 'refused'; readonly lastSeq: number; readonly error: Error }
  /** `isDoubtful`: this attempt, or one before it, may have stored it. */
  | { readonly outcome: 'failed'; readonly isDoubtful: boolean; readonly error: Error };

/**
 * Publishes with an expected last sequence, and reads a refusal for what it says of earlier attempts with the same
 * expectation whose answers never came (`isDoubtful`). The caller is the only one who publishes on the subject.
 */
export async function attemptToStore(
  publish: () => Promise<{ readonly seq: number }>,
  { expectedLastSeq, isDoubtful }: { readonly expectedLastSeq: number; readonly isDoubtful: boolean },
): Promise<StoreAttempt> {
  try {
    const { seq } = await publish();
    return { outcome: 'stored', seq };
  } catch (error) {
    if (error instanceof WrongLastSequenceError) {
      // It is what an earlier attempt stored, of which no answer came.
      if (isDoubtful && error.actual > expectedLastSeq) return { outcome: 'stored', seq: error.actual };
      return { outcome: 'refused', lastSeq: error.actual, error };
    }
    return { outcome: 'failed', isDoubtful: isDoubtful || mayHaveArrived(error), error: error as Error };
  }
}

/** Is it unknown, rather than certain that it was not stored? */
function mayHaveArrived(error: unknown): boolean {
  if (error instanceof BusAwayError) return error.isOutcomeUnknown;
  return error instanceof RequestTimeoutError || error instanceof BadReplyError;
}
