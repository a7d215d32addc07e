import { BadReplyError, BusAwayError, RequestTimeoutError, WrongLastSequenceError } from './errors.ts';

/** What became of one attempt to store a message behind the last one of its subject. */
export type StoreAttempt =
  | { readonly outcome: 'stored'; readonly seq: number }
  /**
   * This attempt has not stored it; the subject's last sequence is another. That says nothing of attempts before this one, for
   * what is stored there may be somebody else's: the server's own acknowledgements can be aimed at any subject. It is to be
   * sent again with the same message id, by which the server knows it.
   */
  | { readonly outcome: 'refused'; readonly lastSeq: number; readonly error: WrongLastSequenceError }
  /** `isDoubtful`: it may have been stored. */
  | { readonly outcome: 'failed'; readonly isDoubtful: boolean; readonly error: Error };

/** Publishes, and tells what is certain of it. Never rejects. */
export async function attemptToStore(publish: () => Promise<{ readonly seq: number }>): Promise<StoreAttempt> {
  try {
    const { seq } = await publish();
    return { outcome: 'stored', seq };
  } catch (error) {
    if (error instanceof WrongLastSequenceError) return { outcome: 'refused', lastSeq: error.actual, error };
    return { outcome: 'failed', isDoubtful: mayHaveArrived(error), error: error as Error };
  }
}

/** Is it unknown, rather than certain that it was not stored? */
function mayHaveArrived(error: unknown): boolean {
  if (error instanceof BusAwayError) return error.isOutcomeUnknown;
  return error instanceof RequestTimeoutError || error instanceof BadReplyError;
}
