/** One message of those that were drawn, and whose it is; `undefined` for nobody's, or for who is not metered. */
export interface Drawn {
  readonly identity: string | undefined;
  readonly bytes: number;
}

/** By how much a stream has grown, what it lost meanwhile included. */
export interface Growth {
  readonly messages: number;
  readonly bytes: number;
}

export interface Share extends Growth {
  readonly identity: string;
}

/** One message says nothing of who brings many: it may be the only one. */
const MIN_HITS = 2;

/** Shares out what really came, so that a large message among those drawn is never taken for many. */
export function shareOut(drawn: readonly Drawn[], growth: Growth): readonly Share[] {
  const drawnBytes = drawn.reduce((sum, { bytes }) => sum + bytes, 0);
  const hits = new Map<string, { messages: number; bytes: number }>();
  for (const { identity, bytes } of drawn) {
    if (identity === undefined) continue;
    const hit = hits.get(identity) ?? { messages: 0, bytes: 0 };
    hits.set(identity, { messages: hit.messages + 1, bytes: hit.bytes + bytes });
  }
  return [...hits]
    .filter(([, { messages }]) => messages >= MIN_HITS)
    .map(([identity, { messages, bytes }]) => ({
      identity,
      messages: (messages / drawn.length) * growth.messages,
      bytes: (bytes / drawnBytes) * growth.bytes,
    }));
}
