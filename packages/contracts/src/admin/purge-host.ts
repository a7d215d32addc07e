/*
 * Takes away what a host has invented: services that nobody knew before it began to flood. What is known stays, but where
 * there is too much to be told apart, or the stream is fuller than it is meant to be without it: then all that this host has
 * there goes. Nothing of any other host is touched.
 */
import { bucketName, kvStream } from '../buckets.ts';
import { NoStreamError } from '../bus/errors.ts';
import type { NatsBus } from '../bus/nats-bus.ts';
import { type HostStore, hostOfSubject, hostStores, monitorStores } from '../host-subjects.ts';
import { streamName } from '../streams.ts';

/** A server goes through a whole stream for each. */
const MAX_PURGES = 50;
/** A page of subjects, as the server cuts them. */
const PAGE = 100_000;

/** Services by host. */
export type KnownServices = ReadonlyMap<string, ReadonlySet<string>>;

export interface PurgedStore {
  readonly stream: string;
  readonly messages: number;
  /** All that the host had there, known services too. */
  readonly isWhole: boolean;
}

interface SubjectsAnswer {
  readonly total?: number;
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
}

/** Every service that has a spec or an event. @throws as `callJetStream` */
export async function knownServices(bus: NatsBus): Promise<KnownServices> {
  const known = new Map<string, Set<string>>();
  const { environment } = bus;
  for (const stream of [kvStream(bucketName(environment, 'specs')), streamName(environment, 'events')]) {
    for (const subject of (await subjectsOf(bus, stream, '>')).subjects) {
      const { host, service } = hostOfSubject(environment, subject) ?? {};
      if (host === undefined || service === undefined) continue;
      const services = known.get(host) ?? new Set();
      known.set(host, services.add(service));
    }
  }
  return known;
}

/** @throws as `callJetStream` */
export async function purgeInvented(
  bus: NatsBus,
  host: string,
  known: ReadonlySet<string>,
  isTooFull: (stream: string) => Promise<boolean>,
): Promise<readonly PurgedStore[]> {
  const purged: PurgedStore[] = [];
  for (const store of hostStores(bus.environment)) {
    const one = await purgeStore(bus, store, host, known, isTooFull);
    if (one.messages > 0) purged.push(one);
  }
  return purged;
}

/** All of it: what a monitor tells is about others, and is measured again. @throws as `callJetStream` */
export async function purgeMonitor(bus: NatsBus, monitor: string): Promise<readonly PurgedStore[]> {
  const purged: PurgedStore[] = [];
  for (const { stream, filter } of monitorStores(bus.environment)) {
    const messages = await purge(bus, stream, [filter(monitor)]);
    if (messages > 0) purged.push({ stream, messages, isWhole: true });
  }
  return purged;
}

async function purgeStore(
  bus: NatsBus,
  store: HostStore,
  host: string,
  known: ReadonlySet<string>,
  isTooFull: (stream: string) => Promise<boolean>,
): Promise<PurgedStore> {
  const { stream } = store;
  const invented = new Set<string>();
  let isAll = true;
  for (const filter of store.filters(host)) {
    const found = await subjectsOf(bus, stream, filter);
    isAll &&= found.isAll;
    for (const subject of found.subjects) {
      const { service } = hostOfSubject(bus.environment, subject) ?? {};
      if (service !== undefined && !known.has(service)) invented.add(service);
    }
  }
  let messages = 0;
  if (isAll && invented.size <= MAX_PURGES) {
    for (const service of invented) messages += await purge(bus, stream, store.serviceFilters(host, service));
    if (!(await isTooFull(stream))) return { stream, messages, isWhole: false };
  }
  messages += await purge(bus, stream, store.filters(host));
  return { stream, messages, isWhole: true };
}

/** One page of them: who has more is not told apart. */
async function subjectsOf(
  bus: NatsBus,
  stream: string,
  filter: string,
): Promise<{ subjects: readonly string[]; isAll: boolean }> {
  try {
    const call = `STREAM.INFO.${stream}`;
    const { total = 0, state } = await bus.callJetStream<SubjectsAnswer>(call, { subjects_filter: filter });
    return { subjects: Object.keys(state.subjects ?? {}), isAll: total <= PAGE };
  } catch (error) {
    if (error instanceof NoStreamError && error.isJetStreamThere) return { subjects: [], isAll: true };
    throw error;
  }
}

async function purge(bus: NatsBus, stream: string, filters: readonly string[]): Promise<number> {
  let messages = 0;
  for (const filter of filters) {
    try {
      messages += (await bus.callJetStream<{ purged?: number }>(`STREAM.PURGE.${stream}`, { filter })).purged ?? 0;
    } catch (error) {
      if (!(error instanceof NoStreamError)) throw error;
    }
  }
  return messages;
}
