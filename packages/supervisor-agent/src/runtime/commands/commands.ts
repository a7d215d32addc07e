/**
 * Answers what is asked of this host. What acts is journaled before it acts, must quote a position that this agent said
 * lately, and is audited with who asked. The reply says accepted or refused; the outcome is an event that names the
 * command's id among its causes.
 */
import {
  ACTING_VERBS,
  type ActingVerb,
  type AgentReply,
  type AgentRequest,
  type AgentVerb,
  type Asker,
  type AuditRecord,
  type CommandCode,
  commands,
  PatternError,
  RESERVED_AGENT_VERBS,
  type RollupColumns,
  type RollupTier,
  rows,
  whyNotCovered,
} from '@muster/contracts';
import type { Bus, Outbox, Subscription } from '@muster/contracts/bus';
import type { Envelopes } from '../../bus/envelopes.ts';
import type { Freshness } from '../../bus/freshness.ts';
import { monotonicNowMs } from '../../host/clock.ts';
import type { HostLogPage } from '../../log/host-logs.ts';
import type { InstanceRunner } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import type { Reporter } from '../report/reporter.ts';
import type { Hide } from '../secrets.ts';
import type { RemoteDependencies } from '../services/remote-dependencies.ts';
import type { Supervisor } from '../services/supervisor.ts';
import type { Answer, CommandJournal } from './command-journal.ts';
import type { CommandOutcomes } from './command-outcomes.ts';

export interface CommandsOptions {
  readonly host: string;
  readonly bus: Pick<Bus, 'respond' | 'revocations'>;
  readonly supervisor: Supervisor;
  readonly reporter: Reporter;
  readonly journal: CommandJournal;
  readonly outcomes: CommandOutcomes;
  /** Told by the leading prober. */
  readonly dependencies: RemoteDependencies;
  readonly freshness: Freshness;
  readonly envelopes: Envelopes;
  readonly outbox: Pick<Outbox, 'append'>;
  readonly hide: Hide;
  /** What the instance has written. @throws Error for an expression that won't do */
  readonly readLogs: (service: string, instance: number, request: AgentRequest<'logs'>) => Promise<HostLogPage>;
  /** Samples each second for `leaseMs` from now. */
  readonly watch: () => { readonly leaseMs: number };
  /** What no stream has yet of the metrics of a service, or of the host. */
  readonly unpublished: (tier: RollupTier, service: string | undefined) => readonly RollupColumns[];
}

/** What a request names. */
interface Found {
  readonly runner: InstanceRunner;
  readonly isSystem: boolean;
}

interface Refusal {
  readonly code: CommandCode;
  readonly reason: string;
}

/** What a list of revoked keys is answered with. */
const OFFER_CODES = { newer: 'ok', known: 'ok', older: 'stale', forged: 'forbidden' } as const;

/** The answer to what only asks. */
const ANSWERED: Answer = { accepted: true, code: 'ok', reason: '' };

const STALE = {
  accepted: false,
  code: 'stale',
  reason: 'the command does not quote a position this agent said within 10 s: ask for its status and try again',
} as const;

export class Commands implements Listener {
  readonly #options: CommandsOptions;
  readonly #subscriptions: Subscription[] = [];

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  listen(): void {
    const { bus, host } = this.#options;
    for (const verb of ACTING_VERBS) {
      const act = async (request: AgentRequest<ActingVerb>, _params: unknown, asker: Asker) =>
        this.#act(verb, request, asker);
      this.#subscriptions.push(bus.respond(commands[verb], { host }, act));
    }
    this.#subscriptions.push(
      bus.respond(commands.status, { host }, async (request, _params, asker) => this.#status(request, asker)),
      bus.respond(commands.why, { host }, async (request, _params, asker) => this.#why(request, asker)),
      bus.respond(commands.outcome, { host }, async (request, _params, asker) => this.#outcome(request, asker)),
      bus.respond(commands.dependency, { host }, async (request) => this.#dependency(request)),
      bus.respond(commands.watch, { host }, async (request, _params, asker) => this.#watch(request, asker)),
      bus.respond(commands.series, { host }, async (request, _params, asker) => this.#series(request, asker)),
      bus.respond(commands.revocations, { host }, async (request) => this.#revocations(request)),
      bus.respond(commands.logs, { host }, (request, _params, asker) => this.#logs(request, asker)),
    );
    for (const verb of RESERVED_AGENT_VERBS) {
      // Only `plan` and `apply` have `changes` in their answers; from the others' it is left out.
      const respond = async (request: { readonly id: string }) => ({
        ...this.#unsupported(verb, request),
        changes: [],
      });
      this.#subscriptions.push(bus.respond(commands[verb], { host }, respond));
    }
  }

  ending(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.stop();
  }

  #act(verb: ActingVerb, request: AgentRequest<ActingVerb>, asker: Asker): AgentReply<ActingVerb> {
    const { journal, outcomes } = this.#options;
    const before = journal.find(request.id);
    // The same id never acts twice: whoever asks again hears what was answered the first time, if it is theirs to know.
    if (before !== undefined) {
      const why = this.#whyNot(asker, before.act?.service ?? request.service);
      return this.#reply(request, why === undefined ? before : forbidden(why));
    }
    const target = this.#check(verb, request, asker);
    if (!('runner' in target)) {
      const refusal: Answer = { ...target, accepted: false };
      journal.record(request.id, refusal);
      this.#audit(verb, request, asker, refusal);
      return this.#reply(request, refusal);
    }
    const { runner } = target;
    const { service, instance } = runner.key;
    const act = { verb, service, instance, generation: runner.state.persisted.generation };
    const answer: Answer = { accepted: true, code: 'ok', reason: `asked to ${verb}`, act };
    journal.record(request.id, answer);
    this.#audit(verb, request, asker, answer);
    if (verb === 'adopt') void runner.recover([request.id]);
    else runner.post({ type: verb, by: request.actor }, [request.id]);
    outcomes.accepted(request.id, act, runner);
    const reason = verb === 'adopt' ? 'looks again for what of it can be proven' : runner.lastReason;
    return this.#reply(request, { ...answer, reason });
  }

  #find(service: string, instance: number, asker: Asker): Found | Refusal {
    const { supervisor, host } = this.#options;
    const managed = supervisor.service(service);
    if (managed === undefined) {
      return { code: 'unknown-service', reason: `no service '${service}' is configured on ${host}` };
    }
    const why = this.#whyNot(asker, service);
    if (why !== undefined) return { code: 'forbidden', reason: why };
    const runner = managed.runners[instance];
    if (runner === undefined) {
      return { code: 'unknown-instance', reason: `service '${service}' on ${host} has no instance ${instance}` };
    }
    return { runner, isSystem: managed.isSystem };
  }

  #check(verb: ActingVerb, { service, instance = 0, fresh }: AgentRequest<ActingVerb>, asker: Asker): Found | Refusal {
    const { freshness } = this.#options;
    const found = this.#find(service, instance, asker);
    if (!('runner' in found)) return found;
    const { runner, isSystem } = found;
    if (isSystem) {
      const reason = `'${service}' is one of Muster's own services: it starts and stops with Muster itself`;
      return { code: 'system-service', reason };
    }
    if (fresh === undefined || !freshness.isFresh(fresh, monotonicNowMs())) return STALE;
    if ((verb === 'adopt' || verb === 'forget') && runner.state.name !== 'orphaned') {
      return { code: 'wrong-state', reason: `cannot ${verb} '${service}': it is ${runner.state.name}, not orphaned` };
    }
    if (runner.state.name === 'unknown' && verb !== 'stop') {
      return { code: 'wrong-state', reason: `cannot ${verb} '${service}': ${runner.state.reason}` };
    }
    return found;
  }

  /** Of what the asker may know. */
  #status(request: AgentRequest<'status'>, asker: Asker): AgentReply<'status'> {
    const instances = this.#options.reporter.statuses().filter(({ service }) => this.#mayKnow(asker, service));
    return { ...this.#position(request), instances };
  }

  #why(request: AgentRequest<'why'>, asker: Asker): AgentReply<'why'> {
    const { reporter } = this.#options;
    const { service, instance = 0 } = request;
    const found = this.#find(service, instance, asker);
    if (!('runner' in found)) return { ...this.#position(request), accepted: false, ...found, events: [] };
    const status = reporter.status(service, instance);
    return {
      ...this.#position(request),
      ...(status && { status }),
      events: [...reporter.recentEvents(service, instance)],
    };
  }

  #outcome(request: AgentRequest<'outcome'>, asker: Asker): AgentReply<'outcome'> {
    const found = this.#options.journal.find(request.of);
    // What it was about is no business of who may not know the service: to them it is unknown.
    if (found === undefined || !this.#mayKnow(asker, found.act?.service ?? '')) {
      const reason = 'this agent does not know that command: it has not acted on it, unless that was very long ago';
      return { ...this.#reply(request, { accepted: true, code: 'ok', reason }), outcome: 'unknown' };
    }
    const { accepted, reason, act, settled } = found;
    const answer: Answer = { accepted: true, code: 'ok', reason: settled?.reason ?? reason };
    return {
      ...this.#reply(request, answer),
      outcome: settled?.outcome ?? (accepted ? 'accepted' : 'refused'),
      ...(act !== undefined && { verb: act.verb, service: act.service, instance: act.instance }),
    };
  }

  /** It changes nothing that a repetition would change again, so it is not journaled. */
  #dependency(request: AgentRequest<'dependency'>): AgentReply<'dependency'> {
    const { dependencies, freshness } = this.#options;
    const { target, condition = 'ready', met: isMet, reason, fresh } = request;
    if (fresh === undefined || !freshness.isFresh(fresh, monotonicNowMs())) return this.#reply(request, STALE);
    dependencies.take({ target, condition }, { isMet, reason });
    return this.#reply(request, { accepted: true, code: 'ok', reason: 'noted' });
  }

  /** It makes the host sample and send, for all that runs there. */
  #watch(request: AgentRequest<'watch'>, asker: Asker): AgentReply<'watch'> {
    const why = this.#whyNot(asker);
    if (why !== undefined) return { ...this.#reply(request, forbidden(why)), leaseMs: 0 };
    const { leaseMs } = this.#options.watch();
    return { ...this.#reply(request, { accepted: true, code: 'ok', reason: 'samples each second' }), leaseMs };
  }

  #series(request: AgentRequest<'series'>, asker: Asker): AgentReply<'series'> {
    const why = this.#whyNot(asker, request.service);
    if (why !== undefined) return { ...this.#reply(request, forbidden(why)), chunks: [] };
    const chunks = this.#options.unpublished(request.tier, request.service);
    return { ...this.#reply(request, ANSWERED), chunks: [...chunks] };
  }

  /** The list proves itself: who brings it matters no more than for any other question. */
  async #revocations(request: AgentRequest<'revocations'>): Promise<AgentReply<'revocations'>> {
    const { revocations } = this.#options.bus;
    const { outcome, reason } = await revocations.offer(request.list);
    const code = OFFER_CODES[outcome];
    return { ...this.#reply(request, { accepted: code === 'ok', code, reason }), version: revocations.version };
  }

  async #logs(request: AgentRequest<'logs'>, asker: Asker): Promise<AgentReply<'logs'>> {
    const { readLogs } = this.#options;
    const { service, instance = 0 } = request;
    const refuse = (refusal: Refusal) => ({ ...this.#reply(request, { accepted: false, ...refusal }), lines: [] });
    const found = this.#find(service, instance, asker);
    if (!('runner' in found)) return refuse(found);
    try {
      return { ...this.#reply(request, ANSWERED), ...(await readLogs(service, instance, request)) };
    } catch (error) {
      if (error instanceof PatternError) return refuse({ code: 'bad-request', reason: error.message });
      throw error;
    }
  }

  /** Why the asker may know nothing of the service or, without one, of the host as a whole. */
  #whyNot(asker: Asker, service?: string): string | undefined {
    const { host, supervisor } = this.#options;
    if (service === undefined) return whyNotCovered(asker, host);
    return whyNotCovered(asker, host, { service, labels: supervisor.service(service)?.spec.labels ?? {} });
  }

  #mayKnow(asker: Asker, service: string): boolean {
    return this.#whyNot(asker, service) === undefined;
  }

  #unsupported(verb: AgentVerb, request: { readonly id: string }) {
    const reason = `this version of the agent cannot '${verb}' yet`;
    return this.#reply(request, { accepted: false, code: 'unsupported', reason });
  }

  #position(request: { readonly id: string }) {
    const { envelopes, freshness } = this.#options;
    const envelope = envelopes.next();
    freshness.said(envelope.seq, monotonicNowMs());
    return { ...envelope, commandId: request.id, ...ANSWERED };
  }

  #reply({ id }: { readonly id: string }, { accepted, code, reason }: Answer) {
    const { envelopes, hide } = this.#options;
    return { ...envelopes.unordered(), commandId: id, accepted, code, reason: hide(reason) };
  }

  #audit(verb: ActingVerb, request: AgentRequest<ActingVerb>, { role, id }: Asker, { accepted, reason }: Answer): void {
    const { outbox, host, envelopes, hide } = this.#options;
    const record: AuditRecord = {
      ...envelopes.next(),
      actor: request.actor,
      askedBy: `${role}/${id}`,
      verb,
      target: `${host}/${request.service}.${request.instance ?? 0}`,
      commandId: request.id,
      accepted,
      reason: hide(reason),
    };
    outbox.append(rows.hostAudit, { host }, record);
  }
}

function forbidden(reason: string): Answer {
  return { accepted: false, code: 'forbidden', reason };
}
