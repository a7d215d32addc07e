import {
  type AgentReply,
  type AgentRequest,
  commands,
  type InstanceEvent,
  type InstanceStatus,
  keys,
  rows,
} from '@muster/contracts';
import { type Bus, openBus, uuidv7 } from '@muster/contracts/bus';
import { instanceEvent, instanceStatus } from './samples.ts';

/** What happens to a service that is told to start. */
export type Fate = 'runs' | 'crashes' | 'hangs' | 'is-overtaken';

/** What the agent says of a command. */
type Outcome = Pick<AgentReply<'outcome'>, 'outcome' | 'reason'>;
const UNDER_WAY: Outcome = { outcome: 'accepted', reason: 'under way' };
const UNKNOWN: Outcome = { outcome: 'unknown', reason: 'no such command' };

/**
 * An agent as others see it on the bus: status in KV, events in their stream, answers to commands. It runs no process; what
 * becomes of a start is told by the service's fate.
 */
export class SimulatedAgent implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #host: string;
  readonly #statuses = new Map<string, InstanceStatus>();
  readonly #events: InstanceEvent[] = [];
  readonly #lastSeqOf = new Map<string, number>();
  readonly #fates: ReadonlyMap<string, Fate>;
  readonly #outcomes = new Map<string, Outcome>();
  #seq = 0;

  private constructor(bus: Bus, host: string, fates: ReadonlyMap<string, Fate>) {
    this.#bus = bus;
    this.#host = host;
    this.#fates = fates;
  }

  /** `services` by name, with what happens when they are started; all of them run at first. */
  static async start(options: {
    readonly url: string;
    readonly credentialsFile: string;
    readonly host: string;
    readonly services: Readonly<Record<string, Fate>>;
  }): Promise<SimulatedAgent> {
    const { url, credentialsFile, host, services } = options;
    const bus = openBus({ servers: url, credentialsFile, environment: 'development', role: 'agent', id: host });
    await bus.connected(AbortSignal.timeout(20_000));
    const agent = new SimulatedAgent(bus, host, new Map(Object.entries(services)));
    agent.#answer();
    await agent.#announce();
    for (const service of Object.keys(services)) {
      await agent.#put(instanceStatus({ ...agent.#envelope(), host, service, pid: 1000 }));
      await agent.move(service, { state: 'running', reason: 'ready after 12 ms' }, []);
    }
    await bus.flush();
    return agent;
  }

  /** One transition: the event into its stream, then the status into KV. */
  async move(service: string, change: Partial<InstanceStatus>, causes: readonly string[]): Promise<void> {
    const before = this.#statuses.get(service) ?? instanceStatus({ host: this.#host, service });
    const envelope = this.#envelope();
    const now: InstanceStatus = { ...before, ...envelope, changedAt: envelope.time, causes: [...causes], ...change };
    const event = instanceEvent({
      ...envelope,
      host: this.#host,
      service,
      generation: now.generation,
      from: before.state,
      to: now.state,
      reason: now.reason,
      causes: [...causes],
    });
    const expectedLastSeq = this.#lastSeqOf.get(service) ?? 0;
    const params = { host: this.#host, service, instance: 0 };
    this.#statuses.set(service, now);
    this.#events.push(event);
    const { seq } = await this.#bus.publishOrdered(rows.instanceEvent, params, event, { expectedLastSeq });
    this.#lastSeqOf.set(service, seq);
    await this.#put(now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus.drain();
  }

  /** As every agent when it starts, whether it has services or not. */
  async #announce(): Promise<void> {
    const params = { host: this.#host };
    const event = { ...this.#envelope(), kind: 'started' as const, reason: 'agent started', causes: [] };
    await this.#bus.publishOrdered(rows.hostEvent, params, event, { expectedLastSeq: 0 });
  }

  #answer(): void {
    const filter = { host: this.#host };
    this.#bus.respond(commands.status, filter, async ({ id }) => ({
      ...this.#reply(id, true, 'ok', ''),
      instances: [...this.#statuses.values()],
    }));
    this.#bus.respond(commands.why, filter, async ({ id, service }) => ({
      ...this.#reply(id, true, 'ok', ''),
      events: this.#events.filter((event) => event.service === service),
    }));
    this.#bus.respond(commands.outcome, filter, async ({ id, of }) => ({
      ...this.#reply(id, true, 'ok', ''),
      ...(this.#outcomes.get(of) ?? UNKNOWN),
    }));
    for (const verb of ['start', 'stop', 'restart'] as const) {
      this.#bus.respond(commands[verb], filter, (request) => this.#act(verb, request));
    }
  }

  async #act(verb: 'start' | 'stop' | 'restart', request: AgentRequest<'start'>): Promise<AgentReply<'start'>> {
    const status = this.#statuses.get(request.service);
    if (status === undefined) return this.#reply(request.id, false, 'unknown-service', 'no such service here');
    if (request.service === 'nats-server') {
      return this.#reply(request.id, false, 'system-service', "it is one of Muster's own services");
    }
    if (request.fresh?.epoch !== 1) return this.#reply(request.id, false, 'stale', 'the quote is old');
    this.#outcomes.set(request.id, UNDER_WAY);
    void this.#carryOut(verb, request.service, status, request.id).then((outcome) =>
      this.#outcomes.set(request.id, outcome),
    );
    return this.#reply(request.id, true, 'ok', '');
  }

  async #carryOut(verb: string, service: string, { generation }: InstanceStatus, causedBy: string): Promise<Outcome> {
    const causes = [causedBy];
    if (verb !== 'start') await this.move(service, { state: 'stopping', reason: `asked to ${verb}` }, causes);
    if (verb === 'stop') {
      await this.move(service, { state: 'stopped', desired: 'down', reason: 'asked to stop' }, causes);
      return { outcome: 'done', reason: 'it is stopped' };
    }
    const next = { generation: generation + 1, desired: 'up' } as const;
    await this.move(service, { ...next, state: 'starting', reason: `asked to ${verb}` }, causes);
    const fate = this.#fates.get(service);
    if (fate === 'crashes') {
      const reason = 'exited with code 7, budget spent';
      await this.move(service, { state: 'failed', reason }, causes);
      return { outcome: 'failed', reason };
    }
    if (fate !== 'runs' && fate !== 'is-overtaken') return UNDER_WAY;
    await this.move(service, { state: 'running', pid: 1000 + next.generation, reason: 'ready' }, causes);
    return fate === 'runs'
      ? { outcome: 'done', reason: 'it is running' }
      : { outcome: 'failed', reason: 'overtaken: asked to stop meanwhile' };
  }

  async #put(status: InstanceStatus): Promise<void> {
    this.#statuses.set(status.service, status);
    await this.#bus.kv('status').put(keys.instance(this.#host, status.service, 0), status);
  }

  #envelope() {
    this.#seq += 1;
    return { id: uuidv7(), time: new Date().toISOString(), source: `agent/${this.#host}`, epoch: 1, seq: this.#seq };
  }

  #reply(commandId: string, accepted: boolean, code: AgentReply<'start'>['code'], reason: string) {
    return { ...this.#envelope(), commandId, accepted, code, reason };
  }
}
