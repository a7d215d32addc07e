import { Deadline, type InstanceRef, type InstanceStatus } from '@muster/contracts';
import type { CommandResult } from '@muster/contracts/client';
import type { Changes } from './changes.ts';
import { judgeOutcome, type Verb } from './outcome.ts';
import { isMatch } from './target.ts';

/** What came of a command for one instance. `unknown`: the time was over first; `status` is the last word on it. */
export interface Finished {
  readonly outcome: 'done' | 'failed' | 'unknown';
  readonly status: InstanceStatus;
}

export interface Wait {
  readonly verb: Verb;
  /** Each instance that is meant, as it was before the command. */
  readonly before: readonly InstanceStatus[];
  readonly ask: () => Promise<CommandResult<'status'>>;
  readonly changes: Changes;
  /** Told each new state on the way. */
  readonly onProgress: (status: InstanceStatus) => void;
  readonly onFinished: (finished: Finished) => void;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** Events are core messages here and may be lost: so often the agent is asked anyway. */
const ASK_AGAIN_MS = 1_000;

/**
 * Waits until every instance has come to an end of the command. Events say when to look, the agent's status says what is:
 * so neither a lost event nor one from before the command misleads.
 */
export async function waitForOutcome(wait: Wait): Promise<Finished['outcome'][]> {
  const { verb, before, ask, changes, onProgress, onFinished, signal } = wait;
  const outcomes: Finished['outcome'][] = [];
  let waiting = before.map((status) => ({ before: status, last: status }));
  while (waiting.length > 0 && !signal.aborted) {
    const answer = await ask().catch(() => undefined);
    const instances: readonly InstanceStatus[] = answer?.outcome === 'accepted' ? answer.reply.instances : [];
    waiting = waiting.flatMap(({ before, last }) => {
      const now = instances.find((status) => isSame(status, before));
      if (now === undefined) return [{ before, last }];
      const outcome = judgeOutcome(verb, before, now);
      if (outcome === 'waiting') {
        if (now.state !== last.state) onProgress(now);
        return [{ before, last: now }];
      }
      outcomes.push(outcome);
      onFinished({ outcome, status: now });
      return [];
    });
    if (waiting.length === 0) break;
    using pause = new Deadline(ASK_AGAIN_MS, signal);
    await changes.next(pause.signal);
  }
  for (const { last } of waiting) {
    outcomes.push('unknown');
    onFinished({ outcome: 'unknown', status: last });
  }
  return outcomes;
}

function isSame(status: InstanceRef, other: InstanceRef): boolean {
  return isMatch({ host: other.host, service: other.service, instance: other.instance }, status);
}
