/** What each vantage says about one instance. A vote is an opinion on one run, and grows old. */
import type { ProbeReason, ProbeReport, ProbeStatus, Vantage } from '@muster/contracts';

export type VoteStatus = 'up' | 'degraded' | 'down';

export interface Vote {
  readonly vantage: Vantage;
  readonly status: VoteStatus;
  readonly reason?: ProbeReason;
  readonly detail?: string;
  readonly durationMs: number;
  /** Of which run. */
  readonly generation: number;
  /** When it was received, on the judge's own monotonic clock. */
  readonly castAtMs: number;
  /** How many times in a row this vantage has said so about this run. */
  readonly streak: number;
  /** Id of the report. */
  readonly reportId: string;
}

/** The last vote of each vantage and purpose. */
export type VoteTable = ReadonlyMap<string, Vote>;

export const NO_VOTES: VoteTable = new Map();

/** Counts a report. One that says nothing (`skipped`, `unknown`) changes nothing: the earlier vote grows old by itself. */
export function castVote(voteTable: VoteTable, report: ProbeReport, nowMs: number): VoteTable {
  const { status, purpose, vantage, generation, reason, detail, durationMs, id } = report;
  // A run that is still starting has not failed; its agent says when it has started.
  if (!isVoteStatus(status) || (purpose === 'startup' && status !== 'up')) return voteTable;
  const key = `${vantage.kind}/${vantage.id}/${purpose}`;
  const before = voteTable.get(key);
  const isSame = before !== undefined && before.status === status && before.generation === generation;
  const vote: Vote = {
    vantage,
    status,
    ...(reason !== undefined && { reason }),
    ...(detail !== undefined && { detail }),
    durationMs,
    generation,
    castAtMs: nowMs,
    streak: isSame ? before.streak + 1 : 1,
    reportId: id,
  };
  return new Map(voteTable).set(key, vote);
}

/** One vote for each vantage, its worst: those about this run that are not too old. */
export function validVotes(
  voteTable: VoteTable,
  { generation, nowMs, maxAgeMs }: { generation: number; nowMs: number; maxAgeMs: number },
): readonly Vote[] {
  const worst = new Map<string, Vote>();
  for (const vote of voteTable.values()) {
    if (vote.generation !== generation || nowMs - vote.castAtMs > maxAgeMs) continue;
    const key = `${vote.vantage.kind}/${vote.vantage.id}`;
    const other = worst.get(key);
    if (other === undefined || isWorse(vote, other)) worst.set(key, vote);
  }
  return [...worst.values()];
}

const BADNESS: Readonly<Record<VoteStatus, number>> = { up: 0, degraded: 1, down: 2 };

function isWorse(a: Vote, b: Vote): boolean {
  return BADNESS[a.status] - BADNESS[b.status] > 0 || (a.status === b.status && a.streak > b.streak);
}

function isVoteStatus(status: ProbeStatus): status is VoteStatus {
  return status === 'up' || status === 'degraded' || status === 'down';
}
