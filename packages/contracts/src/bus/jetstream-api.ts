import { z } from 'zod';
import { BadReplyError, NoResponderError, NoStreamError, StoreRefusedError } from './errors.ts';
import type { Inbox } from './inbox.ts';

const API_TIMEOUT_MS = 10_000;
const encoder = new TextEncoder();

const Failure = z.object({ error: z.object({ code: z.int(), err_code: z.int(), description: z.string() }) });

/**
 * One call of JetStream's own API: `STREAM.INFO.X`, `CONSUMER.CREATE.X`. The server's word is trusted as it is.
 * @throws NoStreamError when there is no such stream or no JetStream; StoreRefusedError; and as `Inbox.ask`
 */
export async function callJetStream<T>(inbox: Inbox, call: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const subject = `$JS.API.${call}`;
  const payload = encoder.encode(body === undefined ? '' : JSON.stringify(body));
  const { data } = await inbox.ask(subject, payload, { timeoutMs: API_TIMEOUT_MS, signal }).catch((error: unknown) => {
    throw error instanceof NoResponderError ? new NoStreamError(subject) : error;
  });
  let reply: unknown;
  try {
    reply = JSON.parse(new TextDecoder().decode(data));
  } catch (error) {
    throw new BadReplyError(subject, (error as Error).message);
  }
  const failure = Failure.safeParse(reply);
  if (!failure.success) return reply as T;
  const { code, err_code: errorCode, description } = failure.data.error;
  throw code === 404 ? new NoStreamError(subject, true) : new StoreRefusedError(subject, errorCode, description);
}
