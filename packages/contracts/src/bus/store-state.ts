import { type StreamName, streamName } from '../streams.ts';
import { BadReplyError, NoResponderError, NoStreamError } from './errors.ts';
import type { Inbox } from './inbox.ts';
import { callJetStream } from './jetstream-api.ts';
import type { StoreState } from './types.ts';

const TIMEOUT_MS = 5_000;

/** @throws as `Bus.storeState` */
export async function readStoreState(inbox: Inbox, environment: string, stream: StreamName): Promise<StoreState> {
  const call = `STREAM.INFO.${streamName(environment, stream)}`;
  const { state } = await callJetStream<{ state: { first_seq: number; last_seq: number } }>(inbox, call);
  return { firstSeq: state.first_seq, lastSeq: state.last_seq };
}

/** @throws as `Bus.storedAt` */
export async function readStoredAt(
  inbox: Inbox,
  environment: string,
  stream: StreamName,
  seq: number,
): Promise<string | undefined> {
  const call = `$JS.API.DIRECT.GET.${streamName(environment, stream)}`;
  const body = new TextEncoder().encode(JSON.stringify({ seq }));
  const { headers } = await inbox.ask(call, body, { timeoutMs: TIMEOUT_MS }).catch((error: unknown) => {
    throw error instanceof NoResponderError ? new NoStreamError(call) : error;
  });
  if (headers?.code === 404) return undefined;
  const time = headers?.get('Nats-Time-Stamp') ?? '';
  if (time === '') throw new BadReplyError(call, headers?.description ?? 'no time');
  return time;
}
