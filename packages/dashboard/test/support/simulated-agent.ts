import { commands, type InstanceStatus, keys, rows } from '@muster/contracts';
import { type Bus, openBus, uuidv7 } from '@muster/contracts/bus';
import * as make from './demo-facts.ts';

export interface SimulatedAgentOptions {
  readonly url: string;
  readonly credentialsFile: string;
  readonly environment: string;
  readonly host: string;
}

/** Speaks as an agent does, over a real bus, and runs nothing: the test says what happens. */
export class SimulatedAgent implements AsyncDisposable {
  readonly host: string;
  readonly bus: Bus;
  readonly asked: { readonly verb: string; readonly service: string; readonly actor: string }[] = [];
  refusal: string | undefined;
  readonly #epoch = Math.floor(Date.now() / 1_000);
  #seq = 0;
  #generation = 1;
  readonly #lastEventSeqs = new Map<string, number>();
  readonly #states = new Map<string, InstanceStatus['state']>();
  readonly #heartbeats: ReturnType<typeof setInterval>;

  static async start(options: SimulatedAgentOptions): Promise<SimulatedAgent> {
    const { url, credentialsFile, environment, host } = options;
    const bus = openBus({ servers: url, credentialsFile, environment, role: 'agent', id: host });
    const agent = new SimulatedAgent(host, bus);
    await bus.connected(AbortSignal.timeout(30_000));
    agent.#heartbeat();
    return agent;
  }

  private constructor(host: string, bus: Bus) {
    this.host = host;
    this.bus = bus;
    this.#heartbeats = setInterval(() => this.#heartbeat(), 500);
    for (const verb of ['start', 'stop', 'restart'] as const) {
      bus.respond(commands[verb], { host }, async ({ id, service, actor }) => {
        this.asked.push({ verb, service, actor });
        const refusal = this.refusal;
        const reply = { ...this.#envelope(), commandId: id };
        if (refusal !== undefined) return { ...reply, accepted: false, code: 'wrong-state' as const, reason: refusal };
        const next = verb === 'stop' ? 'stopped' : 'running';
        void this.become(service, next, `${verb} was asked for by ${actor}`, [id]);
        return { ...reply, accepted: true, code: 'ok' as const, reason: `${verb} begins` };
      });
    }
  }

  /** One transition, as an agent tells it: the event into its stream, then the status. */
  async become(service: string, state: InstanceStatus['state'], reason: string, causes: string[] = []): Promise<void> {
    const from = this.#states.get(service) ?? 'pending';
    this.#states.set(service, state);
    if (state === 'running') this.#generation += 1;
    const common = { host: this.host, service, instance: 0, generation: this.#generation, reason, causes };
    const ready = state === 'running' ? 'yes' : 'unknown';
    const desired = state === 'stopped' ? 'down' : 'up';
    const event = { ...this.#envelope(), ...common, from, to: state, ready, desired } as const;
    const { seq } = await this.bus.publishOrdered(
      rows.instanceEvent,
      { host: this.host, service, instance: 0 },
      event,
      {
        expectedLastSeq: this.#lastEventSeqs.get(service) ?? 0,
      },
    );
    this.#lastEventSeqs.set(service, seq);
    const status = make.status(this.host, service, {
      ...this.#envelope(),
      ...common,
      state,
      ready,
      desired,
      changedAt: event.time,
    });
    await this.bus.kv('status').put(keys.instance(this.host, service, 0), status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeats);
    await this.bus[Symbol.asyncDispose]();
  }

  #heartbeat(): void {
    this.bus.publish(rows.hostPresence, { host: this.host }, make.hostHeartbeat(this.host, this.#envelope()));
  }

  #envelope() {
    this.#seq += 1;
    const source = `agent/${this.host}`;
    return { id: uuidv7(), time: new Date().toISOString(), source, epoch: this.#epoch, seq: this.#seq };
  }
}
