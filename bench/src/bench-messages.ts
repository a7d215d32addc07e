import type { InstanceEvent, InstanceStatus } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';

/** One transition of one instance, as an agent journals it. */
export function eventOf(host: string, service: string, seq: number, reason: string): InstanceEvent {
  return {
    ...envelopeOf(host, seq),
    host,
    service,
    instance: 0,
    generation: seq,
    from: 'running',
    to: 'backoff',
    ready: 'no',
    desired: 'up',
    reason,
    causes: [uuidv7()],
    exit: { code: 1, signal: null, known: true },
    restarts: 2,
    restartBudget: 10,
    restartLoop: false,
    system: false,
  };
}

export function statusOf(host: string, service: string): InstanceStatus {
  const envelope = envelopeOf(host, 1);
  return {
    ...envelope,
    host,
    service,
    instance: 0,
    generation: 1,
    state: 'running',
    ready: 'yes',
    desired: 'up',
    reason: 'ready: http 200 in 4 ms',
    causes: [envelope.id],
    changedAt: envelope.time,
    startedAt: envelope.time,
    pid: 4_711,
    restarts: 0,
    restartBudget: 10,
    restartWindowMs: 600_000,
    system: false,
  };
}

function envelopeOf(host: string, seq: number) {
  return { id: uuidv7(), time: new Date().toISOString(), source: `agent/${host}`, epoch: 1_772_366_400, seq };
}
