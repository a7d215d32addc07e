import type { MsgHdrs } from '@nats-io/transport-node';

/** The server puts it on what it hands out by DIRECT.GET. No sender does. */
const FROM_STREAM = 'Nats-Stream';

/** Why a message is not its sender's word, though it came as one: somebody had the server publish stored bytes there. */
export const SERVER_COPY = 'the server was made to publish it out of a stream';

export function isServerCopy(headers: MsgHdrs | undefined): boolean {
  return headers?.has(FROM_STREAM) ?? false;
}

/** The same of what was itself handed out by DIRECT.GET: the header is there once of right. */
export function isStoredServerCopy(headers: MsgHdrs | undefined): boolean {
  return (headers?.values(FROM_STREAM).length ?? 0) > 1;
}
