import { join } from 'node:path';
import {
  type ComponentEvent,
  commands,
  type InstanceEvent,
  type InstanceStatus,
  keys,
  PRESENCE_INTERVAL_MS,
  type ProbeReport,
  rows,
  type ServiceSpecEntry,
} from '@muster/contracts';
import { type Bus, keysDigest, Outbox, uuidv7 } from '@muster/contracts/bus';
import type { TestBus } from '@muster/contracts/testing';

/** An agent as the bus knows one: presence, specs, statuses, events through a journal. It supervises nothing. */
export class SimulatedAgent implements AsyncDisposable {
  readonly host: string;
  readonly bus: Bus;
  readonly #outbox: Outbox;
  readonly #statuses = new Map<string, InstanceStatus>();
  readonly #puts = new Map<string, () => Promise<unknown>>();
  #heartbeat: NodeJS.Timeout | undefined;
  #seq = 0;

  static async start(testBus: TestBus, host = 'web1'): Promise<SimulatedAgent> {
    const bus = await testBus.connect({ role: 'agent', id: host });
    const outbox = await Outbox.open({
      directory: join(testBus.stateDir, `agent-${host}`),
      bus,
      // The stream first, then the bucket.
      onDelivered: ({ id }) =>
        void agent.#puts
          .get(id)?.()
          .catch(() => undefined),
    });
    const agent = new SimulatedAgent(host, bus, outbox);
    agent.heartbeat();
    return agent;
  }

  private constructor(host: string, bus: Bus, outbox: Outbox) {
    this.host = host;
    this.bus = bus;
    this.#outbox = outbox;
  }

  heartbeat(
    place: { agentId?: string; bootId?: string; networkNamespace?: string } = {},
    everyMs = PRESENCE_INTERVAL_MS,
  ): void {
    clearInterval(this.#heartbeat);
    const send = () => {
      const { agentId = 'other-agent', bootId = 'other-boot', networkNamespace = '1' } = place;
      this.bus.publish(
        rows.hostPresence,
        { host: this.host },
        {
          ...this.#envelope(),
          host: this.host,
          agentId,
          bootId,
          networkNamespace,
          version: '0.0.0',
          uptimeSeconds: 1,
          eventLoopLagMs: 0,
          monotonicMs: performance.now(),
          keysDigest: keysDigest(this.#keys()),
          services: 1,
          backlog: 0,
          revocationsVersion: this.bus.revocations.version,
        },
      );
    };
    send();
    this.#heartbeat = setInterval(send, everyMs);
  }

  fallSilent(): void {
    clearInterval(this.#heartbeat);
  }

  async configure(
    service: string,
    healthCheckUrl?: string,
    dependencies: ServiceSpecEntry['dependencies'] = [],
    labels: ServiceSpecEntry['labels'] = {},
  ): Promise<void> {
    await this.bus.kv('specs').put(keys.spec(this.host, service), {
      ...this.#envelope(),
      host: this.host,
      service,
      type: 'process',
      command: 'sleep 1d',
      ...(healthCheckUrl !== undefined && { healthCheckUrl }),
      environmentNames: [],
      dependencies,
      autoRestart: true,
      maxRestarts: 10,
      restartDelayMs: 0,
      job: false,
      system: false,
      instances: 1,
      labels,
      specHash: 'x',
    });
  }

  /** One transition: to its stream, and then to the bucket. Returns the event. */
  move(service: string, to: InstanceStatus['state'], change: Partial<InstanceEvent> = {}): InstanceEvent {
    const key = keys.instance(this.host, service, 0);
    const before = this.#statuses.get(key);
    const envelope = this.#envelope();
    const event: InstanceEvent = {
      ...envelope,
      host: this.host,
      service,
      instance: 0,
      generation: before?.generation ?? 0,
      from: before?.state ?? 'unknown',
      to,
      ready: to === 'running' ? 'yes' : 'no',
      desired: 'up',
      reason: `now ${to}`,
      causes: [],
      restarts: before?.restarts ?? 0,
      restartBudget: 10,
      restartLoop: false,
      onProbation: false,
      ...change,
    };
    const { generation, ready, desired, reason, restarts = 0 } = event;
    const status: InstanceStatus = {
      ...envelope,
      host: this.host,
      service,
      instance: 0,
      generation,
      state: to,
      ready,
      desired,
      reason,
      causes: [],
      changedAt: envelope.time,
      restarts,
      restartBudget: 10,
      restartWindowMs: 600_000,
      onProbation: event.onProbation ?? false,
      system: false,
    };
    this.#statuses.set(key, status);
    this.#puts.set(event.id, () => this.bus.kv('status').put(key, status));
    this.#outbox.append(rows.instanceEvent, { host: this.host, service, instance: 0 }, event);
    return event;
  }

  announce(kind: ComponentEvent['kind']): void {
    this.#outbox.append(rows.hostEvent, { host: this.host }, { ...this.#envelope(), kind, reason: '', causes: [] });
  }

  /** A first start, up to `running`. */
  start(service: string): InstanceEvent {
    const generation = this.#generationOf(service) + 1;
    this.move(service, 'starting', { generation });
    return this.move(service, 'running', { generation });
  }

  /** It crashes and is restarted at once. Returns the event that it runs again. */
  crash(service: string, change: Partial<InstanceEvent> = {}): InstanceEvent {
    const restarts = (this.#statuses.get(keys.instance(this.host, service, 0))?.restarts ?? 0) + 1;
    const again = { generation: this.#generationOf(service) + 1, restarts, ...change };
    this.move(service, 'starting', { ...again, exit: { code: 3, signal: null, known: true } });
    return this.move(service, 'running', again);
  }

  /** Everything is in its stream and in its bucket. */
  async settled(): Promise<void> {
    await this.#outbox.flushed(AbortSignal.timeout(30_000));
    await this.bus.flush();
  }

  vote(
    service: string,
    status: ProbeReport['status'],
    vantage: ProbeReport['vantage'] = { kind: 'agent', id: this.host },
  ): void {
    this.bus.publish(
      rows.instanceProbe,
      { host: this.host, service, instance: 0 },
      {
        ...this.#envelope(),
        host: this.host,
        service,
        instance: 0,
        generation: this.#generationOf(service),
        vantage,
        purpose: 'liveness',
        protocol: 'http',
        status,
        ...(status === 'down' && { reason: 'refused' as const, detail: 'connect ECONNREFUSED' }),
        durationMs: 3,
      },
    );
  }

  /** Answers for its state, as an agent does that can be asked. */
  answer(): void {
    this.bus.respond(commands.status, { host: this.host }, async ({ id }) => ({
      ...this.#envelope(),
      commandId: id,
      accepted: true,
      code: 'ok' as const,
      reason: '',
      instances: [...this.#statuses.values()],
    }));
  }

  /** It forgets that it has the service, and what it has put of it stays. */
  lose(service: string): void {
    this.#statuses.delete(keys.instance(this.host, service, 0));
  }

  async remove(service: string): Promise<void> {
    this.#statuses.delete(keys.instance(this.host, service, 0));
    await this.bus.kv('status').delete(keys.instance(this.host, service, 0));
    await this.bus.kv('specs').delete(keys.spec(this.host, service));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#outbox.close();
  }

  #keys(): string[] {
    return [...this.#statuses.values()].flatMap(({ host, service, instance }) => [
      keys.instance(host, service, instance),
      keys.spec(host, service),
    ]);
  }

  #generationOf(service: string): number {
    return this.#statuses.get(keys.instance(this.host, service, 0))?.generation ?? 0;
  }

  #envelope() {
    this.#seq += 1;
    return { id: uuidv7(), time: new Date().toISOString(), source: `agent/${this.host}`, epoch: 1, seq: this.#seq };
  }
}
