/** A prober: stands by until the lease is its own, then judges for a term, again and again, until it is stopped. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '@muster/contracts/bus';
import type { Place } from '../core/reach.ts';
import { Announcer } from './announcer.ts';
import { Beat } from './beat.ts';
import { wallTime } from './clock.ts';
import { JudgeTerm, type ProbePolicy } from './judge-term.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { MemoryFile } from './memory-file.ts';

const RETRY_MS = 1_000;
/** On the way out the last words may take this long to reach the bus; what does not is sent by the next life. */
const LAST_WORDS_MS = 2_000;

export interface ProberOptions {
  readonly bus: Bus;
  readonly prober: string;
  readonly version: string;
  readonly stateDir: string;
  readonly own: Place;
  readonly policy: ProbePolicy;
  readonly log: (level: 'info' | 'warn', message: string, error?: unknown) => void;
}

/** Runs until `signal` is aborted; then lays everything down in order. @throws when the state directory can't be used. */
export async function runProber(options: ProberOptions, signal: AbortSignal): Promise<void> {
  const { bus, prober, version, stateDir, log } = options;
  const memory = new MemoryFile(stateDir);
  const epoch = memory.nextEpoch(Math.floor(Date.now() / 1_000));
  const onProblem = (what: string, error?: unknown) => log('warn', what, error);
  const alerts = memory.load()?.alerts ?? { since: wallTime() };
  const announcer = await Announcer.open({
    bus,
    prober,
    epoch,
    directory: join(stateDir, 'outbox'),
    alerts,
    onProblem,
  });
  const lease = new LeaseKeeper({ bus, prober, epoch });
  let term: JudgeTerm | undefined;
  const facts = () => ({ targets: term?.targets ?? 0, leading: term !== undefined });
  const beat = new Beat({ bus, prober, version, stamp: () => announcer.stamp(), facts });
  announcer.component('started', `version ${version}`);
  try {
    while (!signal.aborted) {
      await lease.acquire(signal);
      const lost = new AbortController();
      const lostReason = lease.hold(signal).finally(() => lost.abort());
      try {
        // The lease also ends with `signal`, so one signal says both.
        term = await JudgeTerm.begin({ ...options, memory, announcer, onProblem }, lost.signal);
        announcer.component('lease-won', 'judges from now on');
        log('info', 'leading: judges from now on');
        const reason = await lostReason;
        announcer.component('lease-lost', reason);
        log('info', `no longer leading: ${reason}`);
      } catch (error) {
        if (!signal.aborted) log('warn', 'cannot begin to judge, trying again', error);
        lost.abort();
        await delay(RETRY_MS, undefined, { signal });
      } finally {
        term?.close();
        term = undefined;
      }
    }
  } catch (error) {
    // Only the wish to stop ends the waits above.
    if (!signal.aborted) throw error;
  } finally {
    beat.stop();
    announcer.component('stopping', 'asked to stop');
    await announcer.flushed(AbortSignal.timeout(LAST_WORDS_MS)).catch(() => undefined);
    await announcer.close();
  }
}
