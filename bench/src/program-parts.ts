import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HostSample, LogLine, RollupColumns, RollupTier, Row, ServiceSample } from '@muster/contracts';

/*
 * Parts of the programs that the benchmark runs in its own process. They are nobody's public interface, so they are found
 * by path.
 */

/** The agent's samplers, as far as they are used here. */
export interface Samplers extends Disposable {
  readonly reader: { pids(): readonly number[] };
  readonly host: { sample(pids: readonly number[]): HostSample };
  readonly services: {
    sample(
      instances: readonly { service: string; instance: number; pids: readonly number[] }[],
      pids: readonly number[],
    ): ServiceSample[];
  };
}

type Made<Key extends 'host' | 'services'> = new (options: { reader: Samplers['reader'] }) => Samplers[Key];

export async function loadSamplers(rootDir: string): Promise<Samplers> {
  const folder = 'supervisor-agent/dist/host';
  const { ProcReader } = await load<{ ProcReader: new () => Samplers['reader'] & Disposable }>(
    rootDir,
    `${folder}/proc-reader.js`,
  );
  const { HostSampler } = await load<{ HostSampler: Made<'host'> }>(rootDir, `${folder}/host-sampler.js`);
  const { ServiceSampler } = await load<{ ServiceSampler: Made<'services'> }>(rootDir, `${folder}/service-sampler.js`);
  const reader = new ProcReader();
  return {
    reader,
    host: new HostSampler({ reader }),
    services: new ServiceSampler({ reader }),
    [Symbol.dispose]: () => reader[Symbol.dispose](),
  };
}

interface Measurement {
  readonly name: string;
}

/** The agent's rollup, as far as it is used here. A chunk of the subject '' is the host's own. */
export interface RollupParts {
  readonly Rollup: new (
    phase: number,
  ) => {
    add(
      nowMs: number,
      measured: ReadonlyMap<string, readonly Measurement[]>,
    ): { readonly chunks: readonly RollupChunkPart[] };
    readonly memory: unknown;
  };
  readonly measureHost: (host: HostSample) => readonly Measurement[];
  readonly measureService: (instances: readonly ServiceSample[]) => readonly Measurement[];
  readonly saveRollup: (file: string, memory: unknown) => void;
}

export interface RollupChunkPart {
  readonly subject: string;
  readonly tier: RollupTier;
  readonly firstBucketMs: number;
  readonly bucketMs: number;
  readonly series: RollupColumns['series'];
}

export async function loadRollup(rootDir: string): Promise<RollupParts> {
  const folder = 'supervisor-agent/dist/core/rollup';
  const { Rollup } = await load<Pick<RollupParts, 'Rollup'>>(rootDir, `${folder}/rollup.js`);
  const { measureHost, measureService } = await load<RollupParts>(rootDir, `${folder}/kept-series.js`);
  const { saveRollup } = await load<RollupParts>(rootDir, 'supervisor-agent/dist/runtime/metrics/rollup-file.js');
  return { Rollup, measureHost, measureService, saveRollup };
}

/** What the agent makes of a line of a log. */
export type ParseLine = (raw: string) => Pick<LogLine, 'text'> & Partial<LogLine>;

export async function loadParseLine(rootDir: string): Promise<ParseLine> {
  const { parseLine } = await load<{ parseLine: ParseLine }>(rootDir, 'supervisor-agent/dist/log/parse-line.js');
  return parseLine;
}

/** How messages become bytes and back, as the bus does it. */
export interface Codec {
  encodeForStream(row: Row, subject: string, message: unknown): Uint8Array;
  decodeMessage(schema: Row['schema'], bytes: Uint8Array): { readonly ok: boolean; readonly message?: unknown };
}

export function loadCodec(rootDir: string): Promise<Codec> {
  return load(rootDir, 'contracts/dist/bus/codec.js');
}

/** What the dashboard makes of what it hears. */
export interface DashboardFold {
  readonly emptyFleet: (nowMs: number) => unknown;
  /** Changes `fleet` in place. */
  readonly fold: (
    fleet: unknown,
    fact:
      | { readonly kind: 'metrics'; readonly metrics: unknown }
      | { readonly kind: 'host-presence'; readonly heartbeat: unknown },
    nowMs: number,
  ) => void;
}

export async function loadDashboardFold(rootDir: string): Promise<DashboardFold> {
  const folder = 'dashboard/dist/server/view';
  const { emptyFleet } = await load<Pick<DashboardFold, 'emptyFleet'>>(rootDir, `${folder}/fleet.js`);
  const { fold } = await load<Pick<DashboardFold, 'fold'>>(rootDir, `${folder}/fold.js`);
  return { emptyFleet, fold };
}

async function load<T>(rootDir: string, file: string): Promise<T> {
  return (await import(pathToFileURL(path.join(rootDir, 'packages', file)).href)) as T;
}
