import {
  type AgentReply,
  commands,
  Deadline,
  type InstanceEvent,
  type InstanceRef,
  type InstanceStatus,
  type Position,
  rows,
} from '@muster/contracts';
import {
  type Bus,
  BusAwayError,
  type KvBucket,
  NoResponderError,
  RequestRefusedError,
  RequestTimeoutError,
  uuidv7,
} from '@muster/contracts/bus';
import { Changes } from './changes.ts';
import { CliError } from './exit-codes.ts';
import type { FleetReading, HostReading, InstanceReading, WhyReading } from './fleet-reading.ts';
import type { Verb } from './outcome.ts';
import { isMatch, type ResolvedTarget, type Target } from './target.ts';

/** An agent on a busy machine answers within this; a silent one must not keep people waiting. */
const ANSWER_TIMEOUT_MS = 2_000;
/** How many transitions `why` shows of a host that does not answer itself. */
const HISTORY_LENGTH = 50;

/** What an agent said, or why it said nothing. `isSent`: it may have heard, and acted. */
export type Answer<R> = { readonly reply: R } | { readonly problem: string; readonly isSent: boolean };

/** The fleet as the CLI sees it: stored values first, then the word of each agent that answers now. */
export class Fleet {
  readonly #bus: Bus;
  readonly #actor: string;

  /** `actor` is who asks, for the audit. */
  constructor(bus: Bus, actor: string) {
    this.#bus = bus;
    this.#actor = actor;
  }

  /** The stored status of every instance that matches, however old. */
  async stored(target: Target | undefined, signal: AbortSignal): Promise<InstanceStatus[]> {
    const statuses = await snapshot(this.#bus.kv('status'), signal);
    return [...statuses.values()].filter((status) => isMatch(target, status));
  }

  /** Everything that matches, which may be nothing. */
  async read(target: Target | undefined, nowMs: number, signal: AbortSignal): Promise<FleetReading> {
    const [stored, health] = await Promise.all([this.stored(target, signal), snapshot(this.#bus.kv('health'), signal)]);
    const hosts = [...new Set(stored.map(({ host }) => host))].sort();
    const perHost = await Promise.all(
      hosts.map(async (host) => ({ host, answer: await this.askStatus(host, signal) })),
    );
    const readings = perHost.map(({ host, answer }) => {
      const known = stored.filter((status) => status.host === host);
      const isHeard = 'reply' in answer;
      const statuses = isHeard ? answer.reply.instances.filter((status) => isMatch(target, status)) : known;
      const instances = statuses.map((status): InstanceReading => {
        const verdict = health.get(keyOf(status));
        return { status, isHeard, ...(verdict !== undefined && { health: verdict }) };
      });
      const lastHeardAt = known
        .map(({ time }) => time)
        .sort()
        .at(-1);
      const summary: HostReading = {
        host,
        isHeard,
        instances: statuses.length,
        ...(!isHeard && { problem: answer.problem, ...(lastHeardAt !== undefined && { lastHeardAt }) }),
      };
      return { summary, instances };
    });
    return {
      source: 'bus',
      asOf: new Date(nowMs).toISOString(),
      hosts: readings.map(({ summary }) => summary),
      instances: readings.flatMap(({ instances }) => instances),
    };
  }

  /** The chain behind one instance, from its agent, or from the stream when the agent does not answer. */
  async why(instance: InstanceReading, asOf: string, signal: AbortSignal): Promise<WhyReading> {
    const { host, service, instance: number } = instance.status;
    const answer = await this.#ask(
      this.#bus.request(
        commands.why,
        { host },
        { ...this.#envelope(), service, instance: number },
        { timeoutMs: ANSWER_TIMEOUT_MS, signal },
      ),
    );
    const told = 'reply' in answer && answer.reply.accepted ? answer.reply.events : undefined;
    const events = told ?? (await this.events({ host, service, instance: number }, HISTORY_LENGTH, signal));
    return { source: 'bus', asOf, instance, events };
  }

  /** The newest stored transitions, oldest first. */
  async events(filter: Partial<InstanceRef>, last: number, signal: AbortSignal): Promise<InstanceEvent[]> {
    const entries = await this.#bus.history(rows.instanceEvent, filter, { last, signal });
    return entries.map(({ message }) => message);
  }

  askStatus(host: string, signal: AbortSignal): Promise<Answer<AgentReply<'status'>>> {
    return this.#ask(
      this.#bus.request(commands.status, { host }, this.#envelope(), { timeoutMs: ANSWER_TIMEOUT_MS, signal }),
    );
  }

  /** Sends a command that acts. `fresh` quotes where the agent stood when the sender last heard it. */
  send(
    verb: Verb,
    { host, service, instance }: ResolvedTarget,
    fresh: Position,
    signal: AbortSignal,
  ): Promise<Answer<AgentReply<Verb>>> {
    const request = {
      ...this.#envelope(),
      fresh: { epoch: fresh.epoch, seq: fresh.seq },
      service,
      ...(instance !== undefined && { instance }),
    };
    return this.#ask(this.#bus.request(commands[verb], { host }, request, { timeoutMs: ANSWER_TIMEOUT_MS, signal }));
  }

  /** Whenever a service says that something changed. The caller disposes it. */
  changesOf({ host, service }: { readonly host: string; readonly service: string }): Changes {
    return new Changes((onChange) => {
      const subscription = this.#bus.subscribe(rows.instanceEvent, { host, service }, onChange);
      return () => subscription.stop();
    });
  }

  async #ask<R>(request: Promise<R>): Promise<Answer<R>> {
    try {
      return { reply: await request };
    } catch (error) {
      if (error instanceof NoResponderError) return { problem: 'its agent is not on the bus', isSent: false };
      if (error instanceof RequestTimeoutError) {
        return { problem: `its agent has not answered within ${ANSWER_TIMEOUT_MS / 1_000} s`, isSent: true };
      }
      if (error instanceof RequestRefusedError) return { problem: `its agent refused: ${error.reason}`, isSent: false };
      if (error instanceof BusAwayError) return { problem: 'the bus is away', isSent: error.isOutcomeUnknown };
      throw error;
    }
  }

  #envelope() {
    return {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: `${this.#bus.role}/${this.#bus.id}`,
      actor: this.#actor,
    };
  }
}

function keyOf({ host, service, instance }: InstanceRef): string {
  return `${host}.${service}.${instance}`;
}

const SNAPSHOT_TIMEOUT_MS = 10_000;

/** All values of a bucket, by key. @throws CliError (busUnreachable) when they don't come in time. */
export async function snapshot<V>(bucket: KvBucket<V>, signal: AbortSignal): Promise<ReadonlyMap<string, V>> {
  const values = new Map<string, V>();
  using deadline = new Deadline(SNAPSHOT_TIMEOUT_MS, signal);
  await new Promise<void>((resolve, reject) => {
    const watch = bucket.watch({
      onEntry: (key, value) => {
        if (value === undefined) values.delete(key);
        else values.set(key, value);
      },
      onReady: () => {
        watch.stop();
        resolve();
      },
      onReset: () => values.clear(),
    });
    const onAbort = () => {
      watch.stop();
      reject(unreadable());
    };
    deadline.signal.addEventListener('abort', onAbort);
  });
  return values;
}

function unreadable(): CliError {
  const seconds = SNAPSHOT_TIMEOUT_MS / 1_000;
  return new CliError(
    'busUnreachable',
    `cannot read the fleet's state from the bus: nothing came within ${seconds} s: has it been set up (muster bus setup), and may these credentials read it?`,
  );
}
