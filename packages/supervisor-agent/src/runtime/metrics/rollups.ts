/**
 * The history of this host's metrics: what was sampled goes into buckets, complete chunks into an outbox of their own, in
 * which the oldest are given up when the bus is away for too long. Each minute what is in no chunk yet is saved.
 */
import { createHash } from 'node:crypto';
import {
  type ChunkPlace,
  chunkId,
  type HostSample,
  hostRollups,
  ROLLUP_TIERS,
  type RollupChunk,
  type RollupColumns,
  type RollupTier,
  type ServiceSample,
  serviceRollups,
} from '@muster/contracts';
import type { Outbox, WaitingMessage } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import { HOST, type Subject } from '../../core/rollup/bucket.ts';
import type { Chunk } from '../../core/rollup/chunk.ts';
import { type Measurement, measureHost, measureService } from '../../core/rollup/kept-series.ts';
import { Rollup } from '../../core/rollup/rollup.ts';
import { readRollup, saveRollup } from './rollup-file.ts';

export interface RollupsOptions {
  readonly host: string;
  /** Where that is saved which is in no chunk yet. */
  readonly file: string;
  readonly envelopes: Envelopes;
  readonly outbox: Pick<Outbox, 'append' | 'waiting'>;
  readonly onProblem: (error: unknown) => void;
  /** The wall clock: history is kept by the time that people know. */
  readonly wallNowMs?: () => number;
  /** Where within their length chunks end, at least 0 and below 1; by default a place of the host's own. */
  readonly phase?: number;
}

/** With more than this still waiting the bus has just come back, and the streams will have them in a moment. */
const MAX_WAITING_SERVED = 8;

export class Rollups {
  readonly #options: RollupsOptions;
  readonly #rollup: Rollup;
  readonly #wallNowMs: () => number;
  #isLate = false;

  /** Goes on where the last agent ended. To be made in the same turn as the outbox, before that sends anything. */
  constructor(options: RollupsOptions) {
    this.#options = options;
    this.#wallNowMs = options.wallNowMs ?? Date.now;
    this.#rollup = this.#restore();
    this.#forgetTold();
  }

  record(host: HostSample, services: readonly ServiceSample[]): void {
    const measured = new Map<Subject, readonly Measurement[]>([[HOST, measureHost(host)]]);
    for (const [service, instances] of byService(services)) measured.set(service, measureService(instances));
    const lateBefore = this.#rollup.late;
    const { chunks, hasClosed } = this.#rollup.add(this.#wallNowMs(), measured);
    this.#noteLate(this.#rollup.late > lateBefore);
    for (const chunk of chunks) this.#tell(chunk);
    // In the same turn: what was told may not be remembered as untold.
    if (hasClosed) this.save();
  }

  /** What no stream has yet of a service, or of the host. */
  unpublished(tier: RollupTier, service: string | undefined): readonly RollupColumns[] {
    const waiting = this.#waiting({ host: this.#options.host, service, tier });
    const open = this.#rollup.open(tier, service ?? HOST);
    return [
      ...waiting.slice(-MAX_WAITING_SERVED).flatMap((message) => message.read() ?? []),
      ...(open === undefined ? [] : [columnsOf(open)]),
    ];
  }

  save(): void {
    try {
      saveRollup(this.#options.file, this.#rollup.state);
    } catch (error) {
      this.#options.onProblem(error);
    }
  }

  /** Said once, when it begins: it may take as long as the clock was put back. */
  #noteLate(isLate: boolean): void {
    if (isLate && !this.#isLate) {
      this.#options.onProblem(
        new Error('the wall clock was put back into minutes that are told: no history until it is past them'),
      );
    }
    this.#isLate = isLate;
  }

  #restore(): Rollup {
    const { host, file, phase = phaseOf(host), onProblem } = this.#options;
    try {
      return new Rollup(phase, readRollup(file));
    } catch (error) {
      onProblem(error);
      return new Rollup(phase);
    }
  }

  /** The last agent may have been killed when it had told a chunk and not yet saved that it had. */
  #forgetTold(): void {
    let hasForgotten = false;
    for (const tier of ROLLUP_TIERS) {
      for (const subject of this.#rollup.subjects(tier)) {
        const open = this.#rollup.open(tier, subject);
        if (open === undefined) continue;
        const place = this.#placeOf(open);
        const id = chunkId(place, columnsOf(open).firstBucketAt);
        if (this.#waiting(place).every((message) => message.id !== id)) continue;
        this.#rollup.forget(tier, subject, open.firstBucketMs);
        hasForgotten = true;
      }
    }
    if (hasForgotten) this.save();
  }

  #tell(chunk: Chunk): void {
    const { envelopes, outbox } = this.#options;
    const place = this.#placeOf(chunk);
    const columns = columnsOf(chunk);
    const message: RollupChunk = { ...envelopes.next(), id: chunkId(place, columns.firstBucketAt), ...columns };
    const { host, service, tier } = place;
    if (service === undefined) outbox.append(hostRollups[tier], { host }, message);
    else outbox.append(serviceRollups[tier], { host, service }, message);
  }

  #waiting({ host, service, tier }: ChunkPlace): readonly WaitingMessage<RollupChunk>[] {
    const { outbox } = this.#options;
    if (service === undefined) return outbox.waiting(hostRollups[tier], { host });
    return outbox.waiting(serviceRollups[tier], { host, service });
  }

  #placeOf({ subject, tier }: Chunk): ChunkPlace {
    return { host: this.#options.host, service: subject === HOST ? undefined : subject, tier };
  }
}

/** Follows from the name: the same after each start. */
function phaseOf(host: string): number {
  return createHash('sha256').update(host).digest().readUInt32BE() / 2 ** 32;
}

function columnsOf({ tier, firstBucketMs, bucketMs, series }: Chunk): RollupColumns {
  return { tier, firstBucketAt: new Date(firstBucketMs).toISOString(), bucketSeconds: bucketMs / 1_000, series };
}

function byService(samples: readonly ServiceSample[]): ReadonlyMap<string, readonly ServiceSample[]> {
  const services = new Map<string, ServiceSample[]>();
  for (const sample of samples) {
    const instances = services.get(sample.service);
    if (instances === undefined) services.set(sample.service, [sample]);
    else instances.push(sample);
  }
  return services;
}
