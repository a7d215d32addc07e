import type { InstanceEvent, InstanceStatus } from '@muster/contracts';
import { describe, expect, test } from 'vitest';
import {
  GOOD_RUN_MS,
  type InstanceHistory,
  observeHost,
  observeVerdict,
  readEvent,
  readQuiet,
  readStatus,
} from './rules.ts';

const EXIT = { code: 1, signal: null, known: true };

function event(
  seq: number,
  from: InstanceEvent['from'],
  to: InstanceEvent['to'],
  more: Partial<InstanceEvent> = {},
): InstanceEvent {
  return {
    id: `e${seq}`,
    time: '2026-01-01T00:00:00Z',
    source: 'agent/web1',
    epoch: 1,
    seq,
    host: 'web1',
    service: 'api',
    instance: 0,
    generation: 1,
    from,
    to,
    ready: 'unknown',
    desired: 'up',
    reason: `now ${to}`,
    causes: [],
    restarts: 0,
    restartBudget: 10,
    ...more,
  };
}

/** Tells a whole story; returns what was healed and which alerts are on at its end. */
function tell(events: readonly InstanceEvent[], outageBefore?: NonNullable<InstanceHistory['outage']>) {
  let history: InstanceHistory | undefined;
  const healed: string[] = [];
  let on: readonly string[] = [];
  for (const each of events) {
    const reading = readEvent(history, each, 0, outageBefore);
    history = reading.history;
    if (reading.recovery !== undefined) healed.push(reading.recovery.seen.causes.join(' '));
    on = reading.observations.filter(({ isOn }) => isOn).map(({ rule }) => rule);
  }
  return { healed, on };
}

describe('restarted: once for each outage, when it runs again', () => {
  test.each<[string, InstanceEvent[], string[]]>([
    ['a first start', [event(1, 'pending', 'starting'), event(2, 'starting', 'running')], []],
    [
      'a crash, restarted at once',
      [event(1, 'running', 'starting', { exit: EXIT, restarts: 1 }), event(2, 'starting', 'running', { restarts: 1 })],
      ['e1 e2'],
    ],
    [
      'a crash, restarted after a wait',
      [
        event(1, 'running', 'backoff', { exit: EXIT }),
        event(2, 'backoff', 'starting', { restarts: 1 }),
        event(3, 'starting', 'running'),
      ],
      ['e1 e3'],
    ],
    [
      'two crashes while starting',
      [
        event(1, 'running', 'starting', { exit: EXIT, restarts: 1 }),
        event(2, 'starting', 'backoff', { exit: EXIT, restarts: 1 }),
        event(3, 'backoff', 'starting', { restarts: 2 }),
        event(4, 'starting', 'running', { restarts: 2 }),
      ],
      ['e1 e4'],
    ],
    [
      'a restart for its health',
      [
        event(1, 'starting', 'running'),
        event(2, 'running', 'stopping'),
        event(3, 'stopping', 'starting', { restarts: 1 }),
        event(4, 'starting', 'running', { restarts: 1 }),
      ],
      ['e3 e4'],
    ],
    [
      'a restart that somebody asked for',
      [
        event(1, 'starting', 'running'),
        event(2, 'running', 'stopping'),
        event(3, 'stopping', 'starting'),
        event(4, 'starting', 'running'),
      ],
      [],
    ],
    [
      'a crash after which it failed',
      [
        event(1, 'running', 'backoff', { exit: EXIT }),
        event(2, 'backoff', 'failed'),
        event(3, 'failed', 'starting'),
        event(4, 'starting', 'running'),
      ],
      [],
    ],
    [
      'readiness that comes and goes',
      [event(1, 'starting', 'running'), event(2, 'running', 'running', { ready: 'no' })],
      [],
    ],
  ])('%s', (_, events, healed) => {
    expect(tell(events).healed).toEqual(healed);
  });

  test('an outage of an earlier life of the judge counts', () => {
    const outage = { eventId: 'e0', time: '2026-01-01T00:00:00Z', reason: 'exit code 1' };
    expect(tell([event(2, 'starting', 'running')], outage).healed).toEqual(['e0 e2']);
  });
});

describe('what is on', () => {
  test.each<[string, InstanceEvent, string[]]>([
    ['running', event(1, 'starting', 'running'), []],
    ['failed', event(1, 'backoff', 'failed'), ['failed']],
    ['running on probation', event(1, 'starting', 'running', { onProbation: true }), ['failed']],
    ['failed, and somebody has stopped it', event(1, 'failed', 'stopped', { desired: 'down', onProbation: true }), []],
    ['in a loop', event(1, 'running', 'starting', { exit: EXIT, restartLoop: true }), ['restart-loop']],
    ['failed, which says more than the loop', event(1, 'backoff', 'failed', { restartLoop: true }), ['failed']],
    ['completed', event(1, 'running', 'completed', { restartLoop: true }), []],
  ])('%s', (_, each, rules) => {
    expect(tell([each]).on).toEqual(rules);
  });

  test('an alert about a loop says why it last fell, not that its backoff is over', () => {
    const fallen = { ...event(1, 'running', 'backoff', { restarts: 4 }), reason: 'exit code 2; restart 5 of 10' };
    const again = event(2, 'backoff', 'starting', { restarts: 5, restartLoop: true });
    const { history } = readEvent(undefined, fallen, 0);
    const { observations } = readEvent(history, { ...again, reason: 'backoff is over' }, 1);
    const loop = observations.find(({ rule }) => rule === 'restart-loop');
    expect(loop).toMatchObject({ isOn: true, reason: 'exit code 2; restart 5 of 10' });
  });

  test('a loop that ends quietly is over after ten good minutes', () => {
    const { history } = readEvent(undefined, event(1, 'starting', 'running', { restartLoop: true }), 0);
    expect(readQuiet(history, GOOD_RUN_MS - 1)).toEqual([]);
    expect(readQuiet(history, GOOD_RUN_MS)).toMatchObject([{ rule: 'restart-loop', isOn: false, causes: [] }]);
  });

  test('a status tells the present, unless an event has told something newer', () => {
    const status: InstanceStatus = {
      ...event(5, 'backoff', 'failed'),
      state: 'failed',
      changedAt: '2026-01-01T00:00:00Z',
      restarts: 3,
      restartBudget: 10,
      restartWindowMs: 600_000,
      system: false,
    };
    expect(readStatus(undefined, status, 0)?.observations).toContainEqual(
      expect.objectContaining({ rule: 'failed', isOn: true }),
    );
    const { history } = readEvent(undefined, event(6, 'failed', 'starting'), 0);
    expect(readStatus(history, status, 0)).toBeUndefined();
  });
});

describe('a verdict', () => {
  const subject = { host: 'web1', service: 'api', instance: 0 };
  const judgement = { attempt: 3, reason: '1 of 1 vantage failed', votes: [] };
  test.each([
    ['unhealthy', 'hard', false, true],
    ['unhealthy', 'soft', false, undefined],
    ['unhealthy', 'hard', true, undefined],
    ['partial', 'hard', false, undefined],
    ['unknown', 'hard', false, undefined],
    ['healthy', 'hard', false, false],
    ['degraded', 'hard', false, false],
  ] as const)('%s, %s, host gone: %s, puts the alert on: %s', (verdict, hardness, isHostGone, isOn) => {
    expect(observeVerdict(subject, { ...judgement, verdict, hardness }, isHostGone)?.isOn).toBe(isOn);
  });
});

test('a host that is not heard, and is back', () => {
  expect(observeHost('web1', 8_000, 'b1')).toMatchObject({ isOn: true, causes: ['b1'], subject: { service: '_' } });
  expect(observeHost('web1', 0, 'b2')).toMatchObject({ isOn: false, causes: [] });
});
