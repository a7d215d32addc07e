/** Collects the votes on every instance and makes verdicts of them. A verdict that changes is announced. */
import {
  type InstanceRef,
  type InstanceStatus,
  keys,
  MAX_VOTES,
  type OrderedEnvelope,
  type ProbeReport,
  type Vantage,
  type Verdict,
} from '@muster/contracts';
import { type Judgement, type JudgePolicy, judge } from '../core/judge.ts';
import { castVote, NO_VOTES, type VoteTable, validVotes } from '../core/vote.ts';
import { monotonicMs } from './clock.ts';

export interface VerdictEngineOptions {
  readonly policy: JudgePolicy;
  /** Older votes are void. */
  readonly voteMaxAgeMs: number;
  /** The verdicts that are known, of an earlier life or another judge. */
  readonly known: Iterable<readonly [string, Verdict]>;
  readonly statusOf: (key: string) => InstanceStatus | undefined;
  /** Why this prober itself has no vote on it. */
  readonly whyNoVote: (key: string) => string;
  readonly stamp: () => OrderedEnvelope;
  readonly announce: (verdict: Verdict) => void;
  /** Each judgement, also one that changes nothing. */
  readonly onJudgement: (instance: InstanceRef, generation: number, judgement: Judgement) => void;
}

export class VerdictEngine {
  readonly #options: VerdictEngineOptions;
  readonly #voteTables = new Map<string, VoteTable>();
  readonly #last = new Map<
    string,
    Pick<Verdict, 'verdict' | 'hardness' | 'attempt' | 'generation' | 'reason' | 'changedAt'>
  >();

  constructor(options: VerdictEngineOptions) {
    this.#options = options;
    for (const [key, verdict] of options.known) this.#last.set(key, verdict);
  }

  /**
   * A report of an agent or of this prober, `from`: nobody votes for others, nor many times under many names. Votes on what
   * has no status are not kept, for anything can be invented.
   */
  take(report: ProbeReport, from: Vantage): Judgement | undefined {
    const key = keys.instance(report.host, report.service, report.instance);
    if (report.vantage.kind !== from.kind || report.vantage.id !== from.id) return undefined;
    if (this.#options.statusOf(key) === undefined) return undefined;
    const before = this.#voteTables.get(key) ?? NO_VOTES;
    const voteTable = castVote(before, report, monotonicMs());
    // What this prober could not find out is the reason while nobody has a vote.
    if (voteTable === before)
      return from.kind === 'prober' && report.status === 'unknown' ? this.judge(key) : undefined;
    this.#voteTables.set(key, voteTable);
    return this.judge(key);
  }

  /** Anew, from the votes that are valid now. */
  judge(key: string): Judgement | undefined {
    const { statusOf, policy, voteMaxAgeMs, whyNoVote, onJudgement } = this.#options;
    const status = statusOf(key);
    if (status === undefined) return undefined;
    const { generation } = status;
    const isRunning = status.state === 'running' && status.desired === 'up';
    const voteTable = isRunning ? (this.#voteTables.get(key) ?? NO_VOTES) : NO_VOTES;
    const votes = validVotes(voteTable, { generation, nowMs: monotonicMs(), maxAgeMs: voteMaxAgeMs });
    const judgement = judge(votes, policy, isRunning ? whyNoVote(key) : `it is ${status.state}`);
    this.#announceIfNew(key, status, judgement);
    if (isRunning) onJudgement(status, generation, judgement);
    return judgement;
  }

  /** Votes grow old without a message. */
  judgeAll(): void {
    for (const key of this.#last.keys()) this.judge(key);
  }

  /** All on which there is a verdict. */
  judged(): Iterable<string> {
    return this.#last.keys();
  }

  /** There is a verdict on it. */
  knows(key: string): boolean {
    return this.#last.has(key);
  }

  /** Nothing more is to be judged there. True when there was a verdict. */
  forget(key: string): boolean {
    this.#voteTables.delete(key);
    return this.#last.delete(key);
  }

  #announceIfNew(key: string, { host, service, instance, generation }: InstanceStatus, judgement: Judgement): void {
    const { verdict, hardness, attempt, reason, votes } = judgement;
    const last = this.#last.get(key);
    const isSame =
      last !== undefined &&
      last.verdict === verdict &&
      last.hardness === hardness &&
      last.attempt === attempt &&
      last.generation === generation &&
      // While there are votes the reason quotes measurements; without, it is all there is to know.
      (verdict !== 'unknown' || last.reason === reason);
    if (isSame) return;
    const stamp = this.#options.stamp();
    const changedAt = last?.verdict === verdict ? last.changedAt : stamp.time;
    this.#last.set(key, { verdict, hardness, attempt, generation, reason, changedAt });
    this.#options.announce({
      ...stamp,
      host,
      service,
      instance,
      generation,
      verdict,
      hardness,
      attempt,
      maxAttempts: this.#options.policy.maxAttempts,
      reason,
      changedAt,
      votes: votes.slice(0, MAX_VOTES).map(({ vantage, status, reason: why, detail, durationMs }) => ({
        vantage,
        status,
        ...(why !== undefined && { reason: why }),
        ...(detail !== undefined && { detail }),
        durationMs,
      })),
      causes: votes.map(({ reportId }) => reportId).slice(0, 32),
    });
  }
}
