/**
 * Votes become a verdict. A failure is `soft` until enough vantages have seen it `maxAttempts` times in a row, and `hard`
 * from then on; a good verdict is hard at once. Nothing is kept between two judgements: the streaks are in the votes.
 */
import type { VerdictName } from '@muster/contracts';
import type { Vote, VoteStatus } from './vote.ts';

export interface JudgePolicy {
  readonly maxAttempts: number;
  /** How many vantages must agree on a failure, of `voters` that have a vote. */
  readonly quorum: (voters: number) => number;
}

export interface Judgement {
  readonly verdict: VerdictName;
  readonly hardness: 'soft' | 'hard';
  /** Which attempt has confirmed it, at most `maxAttempts`; 0 when there is nothing to confirm. */
  readonly attempt: number;
  readonly reason: string;
  readonly votes: readonly Vote[];
}

/** More than half of them. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** `whyNoVotes` is the reason of `unknown` when nobody has a valid vote. */
export function judge(votes: readonly Vote[], policy: JudgePolicy, whyNoVotes: string): Judgement {
  const count = votes.length;
  if (count === 0) return { verdict: 'unknown', hardness: 'hard', attempt: 0, reason: whyNoVotes, votes };
  const down = streaksOf(votes, 'down');
  const degraded = streaksOf(votes, 'degraded');
  // No quorum is too small to need a vote, or too large to be reached.
  const quorum = Math.min(count, Math.max(1, policy.quorum(count)));
  const said = (seen: number, what: string) => `${seen} of ${count} ${count === 1 ? 'vantage' : 'vantages'} ${what}`;
  if (down.length >= quorum) {
    // The quorum is as sure as its least sure member.
    return confirm('unhealthy', down[quorum - 1], said(down.length, `failed: ${whyOf(votes, 'down')}`), votes, policy);
  }
  if (down.length > 0) {
    return confirm('partial', down[0], said(down.length, `failed: ${whyOf(votes, 'down')}`), votes, policy);
  }
  if (degraded.length > 0) {
    const reason = said(degraded.length, `found it degraded: ${whyOf(votes, 'degraded')}`);
    return confirm('degraded', degraded[0], reason, votes, policy);
  }
  return { verdict: 'healthy', hardness: 'hard', attempt: 0, reason: said(count, 'got its answer'), votes };
}

function confirm(
  verdict: VerdictName,
  streak = 0,
  reason: string,
  votes: readonly Vote[],
  { maxAttempts }: JudgePolicy,
): Judgement {
  const attempt = Math.min(streak, maxAttempts);
  return { verdict, hardness: attempt >= maxAttempts ? 'hard' : 'soft', attempt, reason, votes };
}

/** Longest first. */
function streaksOf(votes: readonly Vote[], status: VoteStatus): readonly number[] {
  return votes
    .filter((vote) => vote.status === status)
    .map(({ streak }) => streak)
    .sort((a, b) => b - a);
}

function whyOf(votes: readonly Vote[], status: VoteStatus): string {
  const vote = votes.find((each) => each.status === status);
  return [vote?.reason, vote?.detail].filter((part) => part !== undefined).join(': ') || status;
}
