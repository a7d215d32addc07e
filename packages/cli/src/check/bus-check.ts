import { isLoopbackHost, MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, type Permissions } from '@muster/contracts';
import type { ConsumerInspection, CopyInspection, StoreInspection, StreamInspection } from '@muster/contracts/admin';
import { type CredentialClaims, notGranted, type ServerFacts } from '@muster/contracts/bus';
import { formatBytes } from '../render/bytes.ts';
import { formatSpan } from '../render/time.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What `muster bus check` could learn. Where a part is undefined, these credentials may not ask for it. */
export interface BusFacts {
  readonly server: ServerFacts;
  readonly roundTripMs: number;
  readonly clockOffsetMs: number | undefined;
  readonly identity: string;
  readonly claims: CredentialClaims | undefined;
  /** What the role needs. */
  readonly needed: Permissions;
  /** `undefined` when JetStream does not answer. */
  readonly store: StoreInspection | undefined;
  readonly mayAskStore: boolean;
  /** `undefined` when it could not be tried. */
  readonly isApiStrict: boolean | undefined;
  readonly streams: readonly StreamInspection[];
  readonly consumers: readonly ConsumerInspection[] | undefined;
  /** How many events wait at each agent that was heard. */
  readonly backlogs: ReadonlyMap<string, number> | undefined;
}

/** Below this, nats-server is not tested with Muster. */
const MIN_VERSION = '2.9.10';
/** The first that refuses calls of JetStream's API which it cannot read, unless it is told otherwise. */
const MIN_OPEN_VERSION = '2.12.0';
/** What to do about a server that strangers can reach and that does not. */
export const STRICT_ADVICE = `run nats-server ${MIN_OPEN_VERSION} or newer, without 'strict: false' in its jetstream block`;
const SLOW_ROUND_TRIP_MS = 250;
const MAX_CLOCK_OFFSET_MS = 2_000;
const FULL_RATIO = 0.9;
/** A copy's server sends its heartbeat each second. */
const MAX_SILENT_MS = 10_000;
/** Less is on its way. */
const MAX_LAG = 100;
const MAX_PENDING = 1_000;
const EXPIRES_SOON_MS = 14 * 86_400_000;

/** Every finding, in the order in which one would look. `nowMs` is unix time. */
export function judgeBus(facts: BusFacts, nowMs: number): readonly Finding[] {
  return [
    judgeConnection(facts),
    judgeVersion(facts.server),
    judgePayload(facts.server),
    ...judgeCredentials(facts, nowMs),
    ...judgeStore(facts),
    ...judgeConsumers(facts),
    ...judgeBacklogs(facts),
    judgeClock(facts),
  ];
}

function judgeConnection({ server, identity, roundTripMs }: BusFacts): Finding {
  const text = `${server.address} as ${identity}, round trip ${roundTripMs.toFixed(1)} ms`;
  if (roundTripMs <= SLOW_ROUND_TRIP_MS) return ok('connection', text);
  return warning('connection', text, 'the link or the server is slow: commands and verdicts come late by as much');
}

function judgeVersion({ version, listensOn }: ServerFacts): Finding {
  const text = `nats-server ${version}, listens on ${listensOn}`;
  const needed = isLoopbackHost(listensOn) ? MIN_VERSION : MIN_OPEN_VERSION;
  if (isAtLeast(version, needed)) return ok('server', text);
  const remedy = isLoopbackHost(listensOn)
    ? `run nats-server ${MIN_VERSION} or newer`
    : `where others can reach it, run nats-server ${MIN_OPEN_VERSION} or newer: older ones can be made to send themselves calls that take streams away`;
  return problem('server', text, remedy);
}

function judgePayload({ maxPayloadBytes }: ServerFacts): Finding {
  const text = `messages up to ${formatBytes(maxPayloadBytes)}`;
  if (maxPayloadBytes >= MAX_MESSAGE_BYTES + MAX_HEADER_BYTES) return ok('payload', text);
  return problem(
    'payload',
    `${text}, Muster's may have ${formatBytes(MAX_MESSAGE_BYTES)}`,
    `set max_payload to ${2 * MAX_MESSAGE_BYTES} in the configuration of nats-server`,
  );
}

function judgeCredentials({ claims, needed, identity }: BusFacts, nowMs: number): readonly Finding[] {
  const check = 'credentials';
  if (claims?.publish === undefined && claims?.subscribe === undefined) {
    return [
      warning(
        check,
        `they don't say themselves what ${identity} may do`,
        'compare the signing key of the account with docs/protocol.md',
      ),
    ];
  }
  const { publish = [], subscribe = [], expiresAt } = claims;
  const missing = [...notGranted(publish, needed.publish), ...notGranted(subscribe, needed.subscribe)];
  const excess = [...notGranted(needed.publish, publish), ...notGranted(needed.subscribe, subscribe)];
  const renew = 'make them again (muster bus keys), and copy them to where they are used';
  const findings: Finding[] = [];
  if (missing.length > 0) {
    findings.push(problem(check, `they lack ${someSubjects(missing)}`, renew));
  }
  if (excess.length > 0) {
    findings.push(warning(check, `they allow more than ${identity} needs: ${someSubjects(excess)}`, renew));
  }
  if (expiresAt !== undefined && expiresAt.getTime() - nowMs < EXPIRES_SOON_MS) {
    findings.push(warning(check, `they end in ${formatSpan(expiresAt.getTime() - nowMs)}`, renew));
  }
  if (findings.length > 0) return findings;
  return [ok(check, `they allow what ${identity} needs, and no more`)];
}

function someSubjects(subjects: readonly string[]): string {
  return someOf(subjects.map((subject) => `'${subject}'`));
}

/** The first few, and how many more there are. */
function someOf(all: readonly string[]): string {
  const shown = all.slice(0, 3);
  return shown.join(', ') + (all.length > shown.length ? ` and ${all.length - shown.length} more` : '');
}

function judgeStore(facts: BusFacts): readonly Finding[] {
  const { store, mayAskStore, streams, identity } = facts;
  if (!mayAskStore) {
    const text = `${identity} may not ask JetStream`;
    return [warning('jetstream', text, 'look with the credentials of an operator or an admin')];
  }
  if (store === undefined) {
    const remedy =
      "enable it (a block 'jetstream' in the configuration of nats-server) or, in a cluster, start its servers: most of them must live";
    return [problem('jetstream', 'JetStream does not answer', remedy)];
  }
  return [judgeRoom(store), ...judgeApi(facts), ...judgeStreams(streams), ...judgeCopies(streams)];
}

/** What its version promises, its configuration may have taken back. */
function judgeApi({ isApiStrict, server }: BusFacts): readonly Finding[] {
  if (isApiStrict !== false || isLoopbackHost(server.listensOn)) return [];
  const text =
    'it takes calls that it cannot read: who has credentials can have it send itself some that take streams away';
  return [problem('jetstream', text, STRICT_ADVICE)];
}

function judgeRoom({ usedBytes, maxBytes }: StoreInspection): Finding {
  const check = 'jetstream';
  const limit = maxBytes < 0 ? 'no limit of the account' : `of ${formatBytes(maxBytes)}`;
  const text = `stores ${formatBytes(usedBytes)}, ${limit}`;
  if (maxBytes < 0 || usedBytes < maxBytes * FULL_RATIO) return ok(check, text);
  return problem(check, text, "raise the account's limit, or keep less: nothing is stored when it is full");
}

const STREAM_PROBLEMS = {
  missing: () => 'is missing',
  different: (details: readonly string[]) => `differs from its definition: ${details.join(', ')}`,
  silent: (details: readonly string[]) => `is there, and does not answer: ${details.join(', ')}`,
  newer: (details: readonly string[]) => `was set up by a newer version of Muster (${details.join(', ')})`,
} as const;

const STREAM_REMEDIES = {
  missing: 'run muster bus setup',
  different: 'run muster bus setup',
  silent: 'start the nats-servers that keep it: most of them must live, and till then nothing is stored there',
  newer: 'use that version here as well',
} as const;

function judgeStreams(streams: readonly StreamInspection[]): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { name, state, details, bytes, maxBytes } of streams) {
    if (state !== 'as-defined') {
      const text = `${name} ${STREAM_PROBLEMS[state](details)}`;
      findings.push(problem('stream', text, STREAM_REMEDIES[state]));
    } else if (maxBytes > 0 && bytes > maxBytes * FULL_RATIO) {
      const text = `${name} holds ${formatBytes(bytes)} of ${formatBytes(maxBytes)}`;
      findings.push(warning('stream', text, 'its oldest messages go before their time'));
    }
  }
  if (findings.some(({ level }) => level === 'problem')) return findings;
  const messages = streams.reduce((sum, one) => sum + one.messages, 0);
  const text = `all ${streams.length} that ${streams.length === 1 ? 'is' : 'are'} visible are as defined, ${messages} messages`;
  return [ok('streams', text), ...findings];
}

/** Of each server that keeps copies: is it there, and how far is it? Nothing where every stream is kept once. */
function judgeCopies(streams: readonly StreamInspection[]): readonly Finding[] {
  const check = 'copies';
  const copies = streams.flatMap(({ name, leader, copies: own }) =>
    own.map((copy) => ({ stream: name, lag: copy.lag, server: copy.server, isAway: isAway(copy, leader) })),
  );
  if (copies.length === 0) return [];
  const servers = [...new Set(copies.map(({ server }) => server))].sort();
  const findings: Finding[] = [];
  for (const server of servers) {
    const own = copies.filter((copy) => copy.server === server);
    const away = own.filter((copy) => copy.isAway);
    const behind = own.filter((copy) => !copy.isAway && copy.lag > MAX_LAG);
    if (away.length > 0) {
      const text = `${server} is away: ${away.length} of ${own.length} copies there are not kept up`;
      const remedy = `start nats-server ${server}, or see in its log why it does not reach the others; it catches up by itself`;
      findings.push(problem(check, text, remedy));
    }
    if (behind.length > 0) {
      const text = `${server} is behind: ${someOf(behind.map(({ stream, lag }) => `${stream} by ${lag}`))}`;
      const remedy = 'run the check again: where it grows, the disk or the link of that server is too slow';
      findings.push(warning(check, text, remedy));
    }
  }
  const stuck = streams.filter(hasLostMost);
  if (stuck.length > 0) {
    findings.unshift(
      problem(
        check,
        `most servers are away of ${someOf(stuck.map(({ name }) => name))}: nothing is stored there`,
        'start those nats-servers: what waits is stored then',
      ),
    );
  }
  if (findings.length > 0) return findings;
  const text = `all are kept up, by ${servers.join(', ')} (${copies.length} beside those that lead)`;
  return [ok(check, text)];
}

/** Where nobody leads, nobody listens for who is silent. */
function isAway({ isOffline, silentMs }: CopyInspection, leader: string | undefined): boolean {
  return isOffline || (leader !== undefined && silentMs > MAX_SILENT_MS);
}

/** A leader may not have noticed yet that it is alone. */
function hasLostMost({ leader, copies }: StreamInspection): boolean {
  if (copies.length === 0) return false;
  const present = copies.filter((copy) => !isAway(copy, leader)).length;
  return leader === undefined || 2 * (present + 1) <= copies.length + 1;
}

/** Nothing for who may not ask: only an admin may. */
function judgeConsumers({ consumers }: BusFacts): readonly Finding[] {
  const check = 'readers';
  if (consumers === undefined) return [];
  const findings = consumers.flatMap(({ stream, reader, pending, unacknowledged }): readonly Finding[] => {
    if (Math.max(pending, unacknowledged) <= MAX_PENDING) return [];
    const unanswered = unacknowledged === 0 ? '' : `, and has not acknowledged ${unacknowledged}`;
    const text = `${reader} is ${pending} messages behind in ${stream}${unanswered}`;
    const remedy = `run the check again: where it grows, ${reader} is too slow or stands still; whoever begins to read is behind for a moment`;
    return [warning(check, text, remedy)];
  });
  if (findings.length > 0) return findings;
  return [ok(check, `${consumers.length} read streams and buckets, none is far behind`)];
}

/** Nothing for who may not hear agents. */
function judgeBacklogs({ backlogs }: BusFacts): readonly Finding[] {
  const check = 'agents';
  if (backlogs === undefined) return [];
  if (backlogs.size === 0) return [ok(check, 'none is heard, so none says what waits there')];
  const waiting = [...backlogs].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  if (waiting.length === 0) {
    return [ok(check, `${backlogs.size} heard, no event waits at any of them`)];
  }
  return [
    warning(
      check,
      `events wait at ${waiting.length} of the ${backlogs.size} that are heard: ${someOf(waiting.map(([host, count]) => `${host} has ${count}`))}`,
      'run the check again: where it does not shrink, the log of that agent says why the bus does not take them; a nats-server whose disk was full must be restarted',
    ),
  ];
}

function judgeClock({ clockOffsetMs, roundTripMs, store }: BusFacts): Finding {
  const check = 'clock';
  if (clockOffsetMs === undefined) {
    return warning(
      check,
      'the clock of the server is not known',
      store === undefined
        ? 'look with the credentials of an operator or an admin, where JetStream answers'
        : 'mend the streams first: it is read off them',
    );
  }
  const ms = Math.abs(Math.round(clockOffsetMs));
  const text = `the server's clock is ${ms} ms ${clockOffsetMs < 0 ? 'behind' : 'ahead of'} this machine's, to within ${Math.ceil(roundTripMs)} ms`;
  if (ms <= MAX_CLOCK_OFFSET_MS) return ok(check, text);
  return warning(check, text, 'synchronise both (chrony, systemd-timesyncd): times on the screen mislead');
}

/** Compares by number; `2.10.0-beta.1` counts as `2.10.0`. */
function isAtLeast(version: string, needed: string): boolean {
  const [a, b] = [version, needed].map((text) => text.split(/[.-]/u).slice(0, 3).map(Number)) as [number[], number[]];
  const at = b.findIndex((part, index) => part !== a[index]);
  return at === -1 || (a[at] ?? 0) > (b[at] ?? 0);
}
