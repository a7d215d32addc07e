/** A prober: stands by until the lease is its own, then judges for a term, again and again, until it is stopped. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ALERT_PATIENCE, rows } from '@muster/contracts';
import { type Bus, startHeartbeat } from '@muster/contracts/bus';
import { FleetClient, type Followed } from '@muster/contracts/client';
import type { Place } from '../core/reach.ts';
import { wallTime } from './clock.ts';
import { LeaderTerm } from './leader-term.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { ProbePolicy } from './probing.ts';
import { Publisher } from './publisher.ts';
import { StateFile } from './state-file.ts';
import { StoreWitness } from './store-witness.ts';

const FOLLOWED: Followed = { buckets: ['specs', 'status', 'alerts'], senders: ['host'] };
const RETRY_MS = 1_000;
/** A term does not wait longer for it. */
const COMPARE_WITHIN_MS = 10_000;
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
  const stateFile = new StateFile(stateDir);
  const epoch = stateFile.nextEpoch(Math.floor(Date.now() / 1_000));
  const onProblem = (what: string, error?: unknown) => log('warn', what, error);
  const alerts = stateFile.load()?.alerts ?? { since: wallTime() };
  const publisher = await Publisher.open({
    bus,
    prober,
    epoch,
    directory: join(stateDir, 'outbox'),
    alerts,
    onProblem,
  });
  let term: LeaderTerm | undefined;
  /** Ends the term, and nothing else. */
  let ending = new AbortController();
  const witness = new StoreWitness({
    bus,
    prober,
    file: join(stateDir, 'store-witness.json'),
    onProblem,
    onCompared: (told) => {
      const isAnother = publisher.incarnation !== undefined && told.incarnation > publisher.incarnation;
      publisher.learn(told);
      if (!isAnother) return;
      log('warn', `the bus has gone back in time (incarnation ${told.incarnation}): what it lost is sent again`);
      // What the streams and buckets hold is no longer what this term began with.
      ending.abort();
    },
  });
  const lease = new LeaseKeeper({ bus, prober, epoch });
  const heartbeat = startHeartbeat((pulse) => {
    const facts = { targets: term?.targets ?? 0, leading: term !== undefined };
    bus.publish(rows.proberPresence, { prober }, { ...publisher.stamp(), prober, version, ...pulse, ...facts });
  });
  publisher.component('started', `version ${version}`);
  try {
    while (!signal.aborted) {
      await lease.acquire(signal);
      const lost = new AbortController();
      ending = new AbortController();
      const lostReason = lease.hold(signal, ending.signal).finally(() => lost.abort());
      try {
        // What a bus holds that has gone back is not what this prober knows of: first it is brought back.
        await witness.compared(AbortSignal.any([lost.signal, AbortSignal.timeout(COMPARE_WITHIN_MS)]));
        // The lease also ends with `signal`, so one signal says both.
        using fleet = new FleetClient({ bus, actor: `prober/${prober}`, follow: FOLLOWED, patience: ALERT_PATIENCE });
        term = await LeaderTerm.begin(
          { ...options, fleet, stateFile, publisher, incarnation: witness.incarnation, onProblem },
          lost.signal,
        );
        publisher.component('lease-won', 'judges from now on');
        log('info', 'leading: judges from now on');
        const reason = await lostReason;
        publisher.component('lease-lost', reason);
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
    heartbeat[Symbol.dispose]();
    witness.stop();
    publisher.component('stopping', 'asked to stop');
    await publisher.flushed(AbortSignal.timeout(LAST_WORDS_MS)).catch(() => undefined);
    await publisher.close();
  }
}
