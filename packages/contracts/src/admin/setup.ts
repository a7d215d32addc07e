/*
 * Brings the server's streams and buckets to what the definitions say.
 *
 * What is missing is created, what differs is updated in place, so the data stays. Settings that nobody here defines
 * are left as they are. Each stream and bucket carries the version of its layout in its description (a stream's metadata
 * would be the place, but needs a newer server): a newer layout than this program knows is refused rather than changed
 * back.
 */
import type { StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { NoStreamError, StoreRefusedError } from '../bus/errors.ts';
import type { NatsBus } from '../bus/nats-bus.ts';
import {
  LAYOUT_VERSION,
  requiredStoreBytes,
  type SetupOptions,
  type WantedStream,
  wantedStreams,
} from './wanted-streams.ts';

const LAYOUT_MARK = /\(layout (\d+)\)$/;
const INSUFFICIENT_STORAGE = [10_023, 10_047, 10_028];

export interface SetupReport {
  readonly created: readonly string[];
  /** With what was changed: `MUSTER_DEVELOPMENT_EVENTS: max_age, subjects`. */
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
}

/** One stream could not be made as it must be. What came before it stays done; running the set-up again goes on. */
export class SetupError extends Error {
  readonly stream: string;
  /** The server is allowed to store less than all of them may hold. */
  readonly isStoreTooSmall: boolean;

  constructor(stream: string, reason: string, options: ErrorOptions & { readonly isStoreTooSmall?: boolean } = {}) {
    super(`cannot set up the stream '${stream}': ${reason}`, options);
    this.name = 'SetupError';
    this.stream = stream;
    this.isStoreTooSmall = options.isStoreTooSmall ?? false;
  }
}

/** Creates or updates all streams and buckets. Needs an admin. @throws SetupError, BusAwayError */
export async function setupBus(bus: NatsBus, options: SetupOptions = {}): Promise<SetupReport> {
  const report = { created: [] as string[], updated: [] as string[], unchanged: [] as string[] };
  const all = wantedStreams(bus.environment, options);
  const found = await Promise.all(all.map(async (wanted) => ({ wanted, present: await findStream(bus, wanted.name) })));
  for (const { wanted, present } of found) {
    if (present === undefined) {
      await change(bus, 'CREATE', wanted, options);
      report.created.push(wanted.name);
      continue;
    }
    refuseNewer(present.config);
    refuseAlone(present, wanted);
    const differences = differencesOf(present.config, wanted);
    if (differences.length === 0) {
      report.unchanged.push(wanted.name);
    } else {
      await change(bus, 'UPDATE', { ...present.config, ...wanted }, options);
      report.updated.push(`${wanted.name}: ${differences.join(', ')}`);
    }
  }
  return report;
}

async function findStream(bus: NatsBus, name: string): Promise<StreamInfo | undefined> {
  try {
    return await bus.callJetStream<StreamInfo>(`STREAM.INFO.${name}`);
  } catch (error) {
    if (error instanceof NoStreamError && error.isJetStreamThere) return undefined;
    throw error;
  }
}

/** The version of the layout that made it; 0 when it does not say. */
export function layoutOf({ description = '' }: StreamConfig): number {
  return Number(LAYOUT_MARK.exec(description)?.[1] ?? 0);
}

function refuseNewer(present: StreamConfig): void {
  const { name } = present;
  const version = layoutOf(present);
  if (version <= LAYOUT_VERSION) return;
  throw new SetupError(
    name,
    `it has layout ${version}, this program knows layouts up to ${LAYOUT_VERSION}: set up with the newest version in use`,
  );
}

/** A server without a cluster refuses to create copies, but takes note of them for a stream that exists, and makes none. */
function refuseAlone({ cluster }: StreamInfo, { name, num_replicas: replicas = 1 }: WantedStream): void {
  if (replicas === 1 || (cluster?.name ?? '') !== '') return;
  throw new SetupError(name, `${replicas} copies need a cluster, and this nats-server is alone`);
}

/** The settings that are not as they must be. */
export function differencesOf(present: StreamConfig, wanted: WantedStream): readonly string[] {
  return (Object.keys(wanted) as (keyof WantedStream)[]).filter((key) => !isSame(present[key], wanted[key]));
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item) => b.includes(item));
  // The server leaves out what is false or empty.
  return (a ?? false) === (b ?? false) || (a === undefined && b === 0);
}

async function change(
  bus: NatsBus,
  verb: 'CREATE' | 'UPDATE',
  config: WantedStream,
  { retention }: SetupOptions,
): Promise<void> {
  try {
    await bus.callJetStream(`STREAM.${verb}.${config.name}`, config);
  } catch (error) {
    if (!(error instanceof StoreRefusedError)) throw error;
    const isStoreTooSmall = INSUFFICIENT_STORAGE.includes(error.code);
    const advice = isStoreTooSmall
      ? `: set 'max_file_store' in the jetstream block of nats-server's configuration to ${requiredStoreBytes(bus.environment, retention)} or more`
      : '';
    throw new SetupError(config.name, `${error.reason}${advice}`, { cause: error, isStoreTooSmall });
  }
}
