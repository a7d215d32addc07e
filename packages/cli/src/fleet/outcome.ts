import { comparePositions, type InstanceStatus } from '@muster/contracts';

/** What a person can ask for, and wait for. */
export type Verb = 'start' | 'stop' | 'restart';

export type Outcome = 'done' | 'failed' | 'waiting';

/**
 * What came of a command, judged by the agent's word before it and now. Both are the agent's own records, so no clock is
 * compared. What already is as wanted counts as done; what was already broken counts as failed only once it has moved.
 */
export function judgeOutcome(verb: Verb, before: InstanceStatus | undefined, now: InstanceStatus): Outcome {
  const hasMoved = before === undefined || comparePositions(now, before) > 0;
  if (verb === 'stop') return judgeStop(now, hasMoved);
  // A restart that has not happened yet still shows the run that is to be replaced.
  if (verb === 'restart' && before !== undefined && now.generation <= before.generation) {
    return hasMoved && isBroken(now) ? 'failed' : 'waiting';
  }
  switch (now.state) {
    case 'running':
      return now.ready === 'no' ? 'waiting' : 'done';
    case 'completed':
      return hasMoved ? 'done' : 'waiting';
    case 'backoff':
    case 'failed':
    case 'orphaned':
      return hasMoved ? 'failed' : 'waiting';
    case 'stopped':
      // Somebody else wants it down by now.
      return hasMoved && now.desired === 'down' ? 'failed' : 'waiting';
    case 'pending':
    case 'starting':
    case 'stopping':
    case 'unknown':
      return 'waiting';
  }
}

function isBroken({ state }: InstanceStatus): boolean {
  return state === 'failed' || state === 'backoff' || state === 'orphaned';
}

function judgeStop(now: InstanceStatus, hasMoved: boolean): Outcome {
  switch (now.state) {
    case 'stopped':
    case 'completed':
      return 'done';
    case 'failed':
      return now.desired === 'down' ? 'done' : 'waiting';
    case 'orphaned':
      return hasMoved ? 'failed' : 'waiting';
    case 'pending':
    case 'starting':
    case 'running':
    case 'backoff':
    case 'stopping':
    case 'unknown':
      return 'waiting';
  }
}
