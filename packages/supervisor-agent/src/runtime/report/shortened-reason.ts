const MAX_REASON_CHARS = 2_000;

/** A reason may quote what is configured, such as a PATH of any length or all that is wrong with it; a message has its bounds. */
export function shortenedReason(reason: string): string {
  return reason.length <= MAX_REASON_CHARS ? reason : `${reason.slice(0, MAX_REASON_CHARS)}…`;
}
