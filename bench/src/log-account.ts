/** Whether the stream accounts for what services have written: every line shipped or counted, none twice. */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { rows } from '@muster/contracts';
import type { Muster } from './muster.ts';
import { waitUntil } from './wait-until.ts';

export interface LogAccount {
  /** In the log files. */
  readonly written: number;
  readonly shipped: number;
  readonly counted: number;
  /** Neither shipped nor counted; below zero: told twice. */
  readonly missing: number;
}

/** Once all that is in the files has been told, or after half a minute as it then stands. Nothing may write any more. */
export async function accountLogs(ours: Muster, signal: AbortSignal): Promise<LogAccount> {
  const written = await countWritten(ours);
  let account: LogAccount = { written, shipped: 0, counted: 0, missing: written };
  await waitUntil(
    async () => {
      account = await read(ours, written, signal);
      return account.missing <= 0;
    },
    { what: 'an account of all lines', signal, timeoutMs: 30_000, pollMs: 1_000 },
  ).catch(() => signal.throwIfAborted());
  return account;
}

async function read(ours: Muster, written: number, signal: AbortSignal): Promise<LogAccount> {
  let [shipped, counted] = [0, 0];
  for await (const stored of ours.bus.read(rows.instanceLog, { host: ours.host }, { signal })) {
    if (stored === 'caught-up') continue;
    const { lines, gaps } = stored.message;
    shipped += lines.filter(({ partial }) => partial !== true).length;
    counted += gaps.reduce((sum, gap) => sum + (gap.lines ?? 0), 0);
  }
  return { written, shipped, counted, missing: written - shipped - counted };
}

async function countWritten({ names, logDir }: Muster): Promise<number> {
  let lines = 0;
  for (const name of names) {
    for (const stream of ['stdout', 'stderr']) {
      for await (const chunk of createReadStream(path.join(logDir, `${name}.0.${stream}.log`))) {
        for (let at = (chunk as Buffer).indexOf(10); at !== -1; at = (chunk as Buffer).indexOf(10, at + 1)) lines += 1;
      }
    }
  }
  return lines;
}
