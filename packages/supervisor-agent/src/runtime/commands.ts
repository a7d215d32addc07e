/**
 * Answers what is asked of this host. What acts is journaled before it acts, must quote a position that this agent said
 * lately, and is audited with who asked. The reply says accepted or refused; the outcome is an event that names the
 * command's id among its causes.
 */
import {
  type AgentReply,
  type AgentRequest,
  type AgentVerb,
  type AuditRecord,
  type CommandCode,
  commands,
  rows,
} from '@muster/contracts';
import type { Bus, Outbox, Subscription } from '@muster/contracts/bus';
import { monotonicNowMs } from '../clock.ts';
import { SlowRegexError } from '../log/guarded-regex.ts';
import type { HostLogPage } from '../log/host-logs.ts';
import type { Answer, CommandJournal } from './command-journal.ts';
import type { Envelopes } from './envelopes.ts';
import type { Freshness } from './freshness.ts';
import type { InstanceRunner } from './instance-runner.ts';
import type { Reporter } from './reporter.ts';
import type { Supervisor } from './supervisor.ts';

export interface CommandsOptions {
  readonly host: string;
  readonly bus: Pick<Bus, 'respond'>;
  readonly supervisor: Supervisor;
  readonly reporter: Reporter;
  readonly journal: CommandJournal;
  readonly freshness: Freshness;
  readonly envelopes: Envelopes;
  readonly outbox: Pick<Outbox, 'append'>;
  /** What the instance has written. @throws Error for an expression that won't do */
  readonly readLogs: (service: string, instance: number, request: AgentRequest<'logs'>) => Promise<HostLogPage>;
  /** Samples each second for `leaseMs` from now. */
  readonly watch: () => { readonly leaseMs: number };
}

type ActingVerb = 'start' | 'stop' | 'restart' | 'adopt' | 'forget';
const ACTING_VERBS: readonly ActingVerb[] = ['start', 'stop', 'restart', 'adopt', 'forget'];

/** Verbs of the grammar that this version does not carry out yet: they are refused by name, not left unanswered. */
const UNSUPPORTED_VERBS = ['scale', 'reload', 'verdict', 'dependency', 'shutdown'] as const;

/** The answer to what only asks. */
const ANSWERED: Answer = { accepted: true, code: 'ok', reason: '' };

export class Commands {
  readonly #options: CommandsOptions;
  readonly #subscriptions: Subscription[] = [];

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  listen(): void {
    const { bus, host } = this.#options;
    for (const verb of ACTING_VERBS) {
      this.#subscriptions.push(bus.respond(commands[verb], { host }, async (request) => this.#act(verb, request)));
    }
    this.#subscriptions.push(
      bus.respond(commands.status, { host }, async (request) => this.#status(request)),
      bus.respond(commands.why, { host }, async (request) => this.#why(request)),
      bus.respond(commands.outcome, { host }, async (request) => this.#outcome(request)),
      bus.respond(commands.watch, { host }, async (request) => this.#watch(request)),
      bus.respond(commands.logs, { host }, (request) => this.#logs(request)),
      bus.respond(commands.plan, { host }, async (request) => ({ ...this.#unsupported('plan', request), changes: [] })),
      bus.respond(commands.apply, { host }, async (request) => ({
        ...this.#unsupported('apply', request),
        changes: [],
      })),
    );
    for (const verb of UNSUPPORTED_VERBS) {
      const respond = async (request: { readonly id: string }) => this.#unsupported(verb, request);
      this.#subscriptions.push(bus.respond(commands[verb], { host }, respond));
    }
  }

  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.stop();
  }

  #act(verb: ActingVerb, request: AgentRequest<ActingVerb>): AgentReply<ActingVerb> {
    const { journal } = this.#options;
    const before = journal.find(request.id);
    // The same id never acts twice: whoever asks again hears what was answered the first time.
    if (before !== undefined) return this.#reply(request, before);
    const target = this.#check(verb, request);
    const answer: Answer =
      'runner' in target ? { accepted: true, code: 'ok', reason: `asked to ${verb}` } : { ...target, accepted: false };
    journal.record(request.id, answer);
    this.#audit(verb, request, answer);
    if (!('runner' in target)) return this.#reply(request, answer);
    const { runner } = target;
    if (verb === 'adopt') {
      void runner.recover([request.id]);
      return this.#reply(request, { ...answer, reason: 'looks again for what of it can be proven' });
    }
    runner.post({ type: verb, by: request.actor }, [request.id]);
    return this.#reply(request, { ...answer, reason: runner.lastReason });
  }

  #check(
    verb: ActingVerb,
    { service, instance = 0, fresh }: AgentRequest<ActingVerb>,
  ): { readonly runner: InstanceRunner } | { readonly code: CommandCode; readonly reason: string } {
    const { supervisor, freshness, host } = this.#options;
    const managed = supervisor.service(service);
    if (managed === undefined) {
      return { code: 'unknown-service', reason: `no service '${service}' is configured on ${host}` };
    }
    const runner = managed.runners[instance];
    if (runner === undefined) {
      return { code: 'unknown-instance', reason: `service '${service}' on ${host} has no instance ${instance}` };
    }
    if (managed.isSystem) {
      const reason = `'${service}' is one of Muster's own services: it starts and stops with Muster itself`;
      return { code: 'system-service', reason };
    }
    if (fresh === undefined || !freshness.isFresh(fresh, monotonicNowMs())) {
      const reason =
        'the command does not quote a position this agent said within 10 s: ask for its status and try again';
      return { code: 'stale', reason };
    }
    if ((verb === 'adopt' || verb === 'forget') && runner.state.name !== 'orphaned') {
      return { code: 'wrong-state', reason: `cannot ${verb} '${service}': it is ${runner.state.name}, not orphaned` };
    }
    if (runner.state.name === 'unknown' && verb !== 'stop') {
      return { code: 'wrong-state', reason: `cannot ${verb} '${service}': ${runner.state.reason}` };
    }
    return { runner };
  }

  #status(request: AgentRequest<'status'>): AgentReply<'status'> {
    return { ...this.#position(request), instances: this.#options.reporter.statuses() };
  }

  #why(request: AgentRequest<'why'>): AgentReply<'why'> {
    const { reporter, host } = this.#options;
    const { service, instance = 0 } = request;
    const status = reporter.status(service, instance);
    if (status === undefined) {
      const reason = `no service '${service}' is configured on ${host}`;
      return { ...this.#position(request), accepted: false, code: 'unknown-service', reason, events: [] };
    }
    return { ...this.#position(request), status, events: [...reporter.recentEvents(service, instance)] };
  }

  #outcome(request: AgentRequest<'outcome'>): AgentReply<'outcome'> {
    const answer = this.#options.journal.find(request.of);
    const outcome = answer === undefined ? 'unknown' : answer.accepted ? 'accepted' : 'refused';
    const reason = answer?.reason ?? 'this agent has never seen that command';
    return { ...this.#reply(request, { accepted: true, code: 'ok', reason }), outcome };
  }

  #watch(request: AgentRequest<'watch'>): AgentReply<'watch'> {
    const { leaseMs } = this.#options.watch();
    return { ...this.#reply(request, { accepted: true, code: 'ok', reason: 'samples each second' }), leaseMs };
  }

  async #logs(request: AgentRequest<'logs'>): Promise<AgentReply<'logs'>> {
    const { supervisor, readLogs, host } = this.#options;
    const { service, instance = 0 } = request;
    const refuse = (code: CommandCode, reason: string) => ({
      ...this.#reply(request, { accepted: false, code, reason }),
      lines: [],
    });
    if (supervisor.runner(service, instance) === undefined) {
      return refuse('unknown-service', `no service '${service}' with an instance ${instance} is configured on ${host}`);
    }
    try {
      return { ...this.#reply(request, ANSWERED), ...(await readLogs(service, instance, request)) };
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof SlowRegexError) return refuse('bad-request', error.message);
      throw error;
    }
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

  #reply({ id }: { readonly id: string }, answer: Answer) {
    return { ...this.#options.envelopes.unordered(), commandId: id, ...answer };
  }

  #audit(verb: ActingVerb, request: AgentRequest<ActingVerb>, { accepted, reason }: Answer): void {
    const { outbox, host, envelopes } = this.#options;
    const record: AuditRecord = {
      ...envelopes.next(),
      actor: request.actor,
      verb,
      target: `${host}/${request.service}.${request.instance ?? 0}`,
      commandId: request.id,
      accepted,
      reason,
    };
    outbox.append(rows.hostAudit, { host }, record);
  }
}
