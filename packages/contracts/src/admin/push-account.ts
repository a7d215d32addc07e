/*
 * Telling running servers what has changed in the fleet's account, over the account that is the servers' own.
 *
 * A server closes at once the connections of users that the new JWT revokes, or that a removed key has signed. It forgets
 * the JWT at its next start, so its configuration must say the same: write that first.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { connectAsSystem, type SystemAccountOptions } from './system-account.ts';

/** How long the slowest server of a cluster may take, and how long after one answer the next may still come. */
const ANSWERS_WITHIN_MS = 5_000;
const NEXT_ANSWER_WITHIN_MS = 500;
export interface PushOptions extends SystemAccountOptions {
  readonly account: string;
  readonly accountJwt: string;
}

/** The running servers were not told, or one did not take it. What stands in files is not touched by this. */
export class PushError extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`cannot tell the running bus: ${reason}`, options);
    this.name = 'PushError';
  }
}

/** Resolves with the names of the servers that have taken it. @throws PushError */
export async function pushAccount(options: PushOptions): Promise<readonly string[]> {
  const client = await connectAsSystem(options, ['$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE']).catch((error: Error) => {
    throw new PushError(error.message, { cause: error });
  });
  try {
    return await tell(client, options);
  } finally {
    await client.close();
  }
}

const Answer = z.object({
  server: z.object({ name: z.string() }),
  data: z.object({ code: z.number(), message: z.string().optional() }).optional(),
  error: z.object({ code: z.number(), description: z.string() }).optional(),
});

async function tell(client: NatsConnection, { account, accountJwt }: PushOptions): Promise<readonly string[]> {
  const answers = await client.requestMany(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.UPDATE`, accountJwt, {
    strategy: 'stall',
    maxWait: ANSWERS_WITHIN_MS,
    stall: NEXT_ANSWER_WITHIN_MS,
  });
  const names: string[] = [];
  for await (const message of answers) {
    const { server, error } = Answer.parse(message.json());
    if (error !== undefined) throw new PushError(`server '${server.name}' refused: ${error.description}`);
    names.push(server.name);
  }
  if (names.length === 0) throw new PushError('no server answered');
  return names;
}
