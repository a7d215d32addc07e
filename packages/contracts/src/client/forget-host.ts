import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '../bus/bus.ts';
import { NoResponderError, RequestRefusedError } from '../bus/errors.ts';
import { uuidv7 } from '../bus/uuid.ts';
import { proberCommands } from '../rows.ts';

export type ForgetOutcome =
  | { readonly outcome: 'forgotten'; readonly keys: number }
  /** No prober leads now: what is stored stays until it is asked again. */
  | { readonly outcome: 'no-prober' }
  | { readonly outcome: 'refused'; readonly reason: string };

const ANSWER_TIMEOUT_MS = 10_000;
const ASK_AGAIN_MS = 500;

/**
 * A host has been taken away: the leading prober deletes all that is stored of it, and ends its alerts. It refuses while
 * the host is heard, so this asks until the host is silent, or `signal` is aborted. @throws the signal's reason, and what a
 * request throws
 */
export async function forgetHost(
  { bus, actor }: { readonly bus: Bus; readonly actor: string },
  host: string,
  signal: AbortSignal,
): Promise<ForgetOutcome> {
  for (;;) {
    const source = `${bus.role}/${bus.id}`;
    const request = { id: uuidv7(), time: new Date().toISOString(), source, actor, host };
    try {
      const reply = await bus.request(proberCommands.remove, {}, request, { timeoutMs: ANSWER_TIMEOUT_MS, signal });
      if (reply.accepted) return { outcome: 'forgotten', keys: reply.keys };
      if (reply.code !== 'wrong-state') return { outcome: 'refused', reason: reply.reason };
    } catch (error) {
      if (error instanceof NoResponderError) return { outcome: 'no-prober' };
      if (error instanceof RequestRefusedError) return { outcome: 'refused', reason: error.reason };
      throw error;
    }
    await delay(ASK_AGAIN_MS, undefined, { signal });
  }
}
