/** The main stories of an instance's life, to be read like timetables. */
import { describe, expect, test } from 'vitest';
import type { Event } from './event.ts';
import { DEFAULT_POLICY, type Policy } from './policy.ts';
import { EMPTY_TRACKER, restartPolicy } from './restart-tracker.ts';
import { deadlineOf, initialState, type State } from './state.ts';
import { step } from './step.ts';

/** Random in the middle: no jitter. */
const NO_JITTER = 0.5;

/** Plays events at seconds; each line of the result is `seconds: state, effects (reason)`. */
function play(
  policy: Partial<Policy>,
  script: readonly (readonly [atSeconds: number, event: Event])[],
): readonly string[] {
  return playFrom(initialState({ unmetReason: null }), policy, script).lines;
}

function playFrom(
  start: State,
  policy: Partial<Policy>,
  script: readonly (readonly [atSeconds: number, event: Event])[],
): { readonly lines: readonly string[]; readonly state: State } {
  let state = start;
  const lines = script.map(([atSeconds, event]) => {
    const next = step(state, event, atSeconds * 1_000, { ...DEFAULT_POLICY, ...policy }, NO_JITTER);
    state = next.state;
    const effects = next.effects.map((effect) => {
      if (effect.do === 'wake-at') return `wake at ${effect.atMs / 1_000}`;
      return 'generation' in effect ? `${effect.do} ${effect.generation}` : effect.do;
    });
    return `${atSeconds}: ${[state.name, ...effects].join(', ')} (${next.reason})`;
  });
  return { lines, state };
}

const nothingFound: Event = { type: 'nothing-found' };
const stop: Event = { type: 'stop' };
const start: Event = { type: 'start' };
const deadline: Event = { type: 'deadline' };
const spawned = (generation: number): Event => ({ type: 'spawned', generation, pid: 40 + generation });
const exited = (generation: number, code: number): Event => ({
  type: 'exited',
  generation,
  exit: { kind: 'code', code },
});
const gone = (generation: number): Event => ({ type: 'tree-gone', generation });
const liveness = (generation: number): Event => ({
  type: 'liveness-failed',
  generation,
  reason: 'no answer in 1 s, 3 times',
});

test('a crash restarts at once, the next after 1 s, then 2 s', () => {
  expect(
    play({}, [
      [0, nothingFound],
      [1, spawned(1)],
      [5, exited(1, 1)],
      [6, spawned(2)],
      [7, exited(2, 1)],
      [8, deadline],
      [9, spawned(3)],
      [10, exited(3, 137)],
      [12, deadline],
    ]),
  ).toEqual([
    '0: starting, spawn 1, wake at 60 (nothing of it runs)',
    '1: running, start-probes 1, clear-wake (spawned as pid 41)',
    '5: starting, spawn 2, stop-probes 1, wake at 65 (exit code 1; restart 1 of 10 in 10 min, at once)',
    '6: running, start-probes 2, wake at 606 (spawned as pid 42)',
    '7: backoff, stop-probes 2, kill-tree 2, wake at 8 (exit code 1; restart 2 of 10 in 10 min, next in 1 s)',
    '8: starting, spawn 3, wake at 68 (backoff is over)',
    '9: running, start-probes 3, wake at 609 (spawned as pid 43)',
    '10: backoff, stop-probes 3, kill-tree 3, wake at 12 (exit code 137; restart 3 of 10 in 10 min, next in 2 s)',
    '12: starting, spawn 4, wake at 72 (backoff is over)',
  ]);
});

test('the budget spent, a slow retry on probation, a second failure, and ten good minutes', () => {
  const policy = { restart: restartPolicy({ maxRestarts: 1 }) };
  const failed = playFrom(initialState({ unmetReason: null }), policy, [
    [0, nothingFound],
    [1, spawned(1)],
    [2, exited(1, 1)],
    [3, spawned(2)],
    [4, exited(2, 1)],
  ]);
  expect(failed.lines.at(-1)).toBe(
    '4: failed, stop-probes 2, kill-tree 2, wake at 604 (exit code 1; restart budget spent, 1 of 1 in 10 min; one more try in 10 min)',
  );
  const again = playFrom(failed.state, policy, [
    [604, deadline],
    [605, spawned(3)],
    [606, exited(3, 1)],
    [1206, deadline],
    [1207, spawned(4)],
  ]);
  expect(again.lines).toEqual([
    '604: starting, spawn 3, wake at 664 (slow retry)',
    '605: running, start-probes 3, wake at 1205 (spawned as pid 43)',
    '606: failed, stop-probes 3, kill-tree 3, wake at 1206 (exit code 1; its slow retry failed too; one more try in 10 min)',
    '1206: starting, spawn 4, wake at 1266 (slow retry)',
    '1207: running, start-probes 4, wake at 1807 (spawned as pid 44)',
  ]);
  expect(again.state.persisted.failure, 'it is on probation').not.toBeNull();
  const good = playFrom(again.state, policy, [[1807, deadline]]);
  expect(good.lines).toEqual(['1807: running (has run well for long enough)']);
  expect(good.state.persisted.failure).toBeNull();
});

test('stop: the signal, SIGKILL after the grace, again each second, and stopped only when the tree is gone', () => {
  expect(
    play({}, [
      [0, nothingFound],
      [1, spawned(1)],
      [10, { type: 'stop', by: 'anna' }],
      [20, deadline],
      [21, deadline],
      [21.5, exited(1, 0)],
      [22, gone(1)],
    ]).slice(2),
  ).toEqual([
    '10: stopping, stop-probes 1, signal-tree 1, wake at 20 (asked to stop by anna)',
    '20: stopping, kill-tree 1, wake at 21 (still there after 10 s; SIGKILL)',
    '21: stopping, kill-tree 1, wake at 22 (still there after SIGKILL; sent again, 2 times now)',
    '21.5: stopping (exit code 0; waits until its whole tree is gone)',
    '22: stopped, clear-wake (nothing of its tree is left)',
  ]);
});

test('stop and restart race: the last wish wins, and a stop while the spawn is under way reaches it', () => {
  expect(
    play({}, [
      [0, nothingFound],
      [1, stop],
      [2, { type: 'restart' }],
      [3, stop],
      [4, start],
      [5, spawned(1)],
      [6, gone(1)],
    ]),
  ).toEqual([
    '0: starting, spawn 1, wake at 60 (nothing of it runs)',
    '1: stopping, stop-probes 1, signal-tree 1, wake at 11 (asked to stop)',
    '2: stopping (asked to restart; will start once the old run is gone)',
    '3: stopping (asked to stop; already stopping)',
    '4: stopping (asked to start; will start once the old run is gone)',
    '5: stopping, signal-tree 1 (spawned after all, so asked to stop again)',
    '6: starting, spawn 2, wake at 66 (the old run is gone)',
  ]);
});

test('stop during backoff stops at once; start during backoff costs no budget', () => {
  const policy = { restart: restartPolicy({ restartDelayMs: 60_000 }) };
  const script = [
    [0, nothingFound],
    [1, spawned(1)],
    [2, exited(1, 1)],
  ] as const;
  const waiting = playFrom(initialState({ unmetReason: null }), policy, script);
  expect(waiting.lines.at(-1)).toContain('wake at 62 (exit code 1; restart 1 of 10 in 20 min, next in 1 min)');
  expect(playFrom(waiting.state, policy, [[3, stop]]).lines).toEqual(['3: stopped, clear-wake (asked to stop)']);
  const started = playFrom(waiting.state, policy, [[3, start]]);
  expect(started.lines).toEqual(['3: starting, spawn 2, wake at 63 (asked to start)']);
  expect(started.state.persisted.tracker.restartsAtMs).toEqual([]);
});

test('never ready: the startup timeout is a failed start, and counts as a restart', () => {
  expect(
    play({ hasStartupProbe: true, hasReadinessProbe: true, startupTimeoutMs: 30_000 }, [
      [0, nothingFound],
      [1, spawned(1)],
      [30, deadline],
      [31, gone(1)],
      [32, spawned(2)],
      [33, { type: 'startup-passed', generation: 2 }],
      [34, { type: 'ready', generation: 2 }],
    ]),
  ).toEqual([
    '0: starting, spawn 1, wake at 30 (nothing of it runs)',
    '1: starting, start-probes 1 (spawned as pid 41)',
    '30: stopping, stop-probes 1, signal-tree 1, wake at 40 (not started within 30 s; restart 1 of 10 in 10 min, at once)',
    '31: starting, spawn 2, wake at 61 (not started within 30 s; restart 1 of 10 in 10 min, at once)',
    '32: starting, start-probes 2 (spawned as pid 42)',
    '33: running, wake at 633 (startup probe passed)',
    '34: running (ready)',
  ]);
});

test('a restart for health asks first; a denial leaves it running', () => {
  expect(
    play({}, [
      [0, nothingFound],
      [1, spawned(1)],
      [5, liveness(1)],
      [6, { type: 'recovery-denied', generation: 1, reason: 'no slot is free' }],
      [15, liveness(1)],
      [16, { type: 'recovery-granted', generation: 1, reason: 'no answer in 1 s, 3 times' }],
      [17, gone(1)],
    ]).slice(2),
  ).toEqual([
    '5: running, ask-recovery 1 (no answer in 1 s, 3 times; asks for permission to restart)',
    '6: running (left running: no slot is free)',
    '15: running, ask-recovery 1 (no answer in 1 s, 3 times; asks for permission to restart)',
    '16: stopping, stop-probes 1, signal-tree 1, wake at 26 (no answer in 1 s, 3 times; restart 1 of 10 in 10 min, at once)',
    '17: starting, spawn 2, wake at 77 (no answer in 1 s, 3 times; restart 1 of 10 in 10 min, at once)',
  ]);
});

test('dependencies hold back a start and a restart, never a run', () => {
  const unmet: Event = { type: 'dependencies-unmet', reason: 'waits for db to be ready' };
  expect(
    play({}, [
      [0, { type: 'dependencies-unmet', reason: 'database-service is not configured here' }],
      [1, nothingFound],
      [2, { type: 'dependencies-met' }],
      [3, spawned(1)],
      [4, unmet],
      [5, exited(1, 1)],
      [9, { type: 'dependencies-met' }],
    ]),
  ).toEqual([
    '0: unknown (database-service is not configured here)',
    '1: pending (database-service is not configured here)',
    '2: starting, spawn 1, wake at 62 (dependencies are met)',
    '3: running, start-probes 1, clear-wake (spawned as pid 41)',
    '4: running (waits for db to be ready)',
    '5: pending, stop-probes 1, kill-tree 1 (exit code 1; restart 1 of 10 in 10 min, at once; waits for db to be ready)',
    '9: starting, spawn 2, wake at 69 (dependencies are met)',
  ]);
});

describe('what an exit means', () => {
  test.each<[string, Partial<Policy>, number, string, number | null]>([
    ['service', {}, 0, 'starting', 62_000],
    ['service', { autoRestart: false }, 0, 'completed', null],
    ['service', { autoRestart: false }, 1, 'failed', null],
    ['job', { kind: 'job' }, 0, 'completed', null],
    ['job', { kind: 'job' }, 1, 'starting', 62_000],
    ['job', { kind: 'job', autoRestart: false }, 1, 'failed', null],
    ['spent service', { restart: restartPolicy({ maxRestarts: 0 }) }, 1, 'failed', 602_000],
    ['spent system service', { isSystem: true, restart: restartPolicy({ maxRestarts: 0 }) }, 1, 'backoff', 7_000],
  ])('%s %o, exit code %i: %s, next deadline at %s', (_, policy, code, expected, deadlineMs) => {
    const { state } = playFrom(initialState({ unmetReason: null }), policy, [
      [0, nothingFound],
      [1, spawned(1)],
      [2, exited(1, code)],
    ]);
    expect(state.name).toBe(expected);
    expect(deadlineOf(state)).toBe(deadlineMs);
  });
});

test('the next agent adopts: nothing is spawned, the budget is kept', () => {
  const tracker = { restartsAtMs: [1_000, 2_000], streak: 2 };
  const { lines, state } = playFrom(initialState({ generation: 3, tracker, unmetReason: null }), {}, [
    [10, { type: 'adopted', generation: 3, hasStarted: true }],
    [11, exited(3, 1)],
  ]);
  expect(lines).toEqual([
    '10: running, start-probes 3, wake at 610 (adopted)',
    '11: backoff, stop-probes 3, kill-tree 3, wake at 13 (exit code 1; restart 3 of 10 in 10 min, next in 2 s)',
  ]);
  expect(state.persisted.tracker).toEqual(tracker);
});

test('what the next agent finds, it says as it is', () => {
  const note = 'its configuration has changed';
  const wanted = initialState({ generation: 3, unmetReason: null });
  const { lines } = playFrom(wanted, {}, [[10, { type: 'adopted', generation: 3, hasStarted: true, note }]]);
  expect(lines).toEqual(['10: running, start-probes 3 (adopted; its configuration has changed)']);
  const unwanted = initialState({ desired: 'down', generation: 3, unmetReason: null });
  const exit = { kind: 'signal', signal: 'SIGTERM' } as const;
  expect(playFrom(unwanted, {}, [[10, { type: 'exited-while-away', generation: 3, exit }]]).lines).toEqual([
    '10: stopped, kill-tree 3 (not wanted up; its last run: killed by SIGTERM)',
  ]);
});

test('an exit that an earlier agent has judged is not judged again', () => {
  const failure = 'exit code 3; restart budget spent';
  const failed = initialState({ generation: 3, failure, unmetReason: null });
  const exit = { kind: 'code', code: 3 } as const;
  const known = { type: 'exited-while-away', generation: 3, exit, isKnown: true } as const;
  expect(playFrom(failed, {}, [[10, known]]).lines).toEqual([
    `10: failed, kill-tree 3, wake at 610 (${failure}; one more try in 10 min)`,
  ]);
});

test('a start that was decided, and counted, before the agent died is made up for without counting it again', () => {
  const tracker = { restartsAtMs: [1], streak: 1 };
  const exit = { kind: 'code', code: 7 } as const;
  const { lines, state } = playFrom(initialState({ generation: 4, tracker, unmetReason: null }), {}, [
    [10, { type: 'exited-while-away', generation: 3, exit, isKnown: true }],
  ]);
  expect(lines).toEqual(['10: starting, spawn 5, wake at 70 (exit code 7; its next start was under way already)']);
  expect(state.persisted.tracker).toEqual(tracker);
});

test.each([
  ['a service', {}, { kind: 'signal', signal: 'SIGTERM' }],
  ['one that ends cleanly and is not to be restarted', { autoRestart: false }, { kind: 'code', code: 0 }],
  ['one that ends badly and is not to be restarted', { autoRestart: false }, { kind: 'code', code: 143 }],
  ['a job in the middle of its work', { kind: 'job' }, { kind: 'signal', signal: 'SIGTERM' }],
] as const)('what was stopped with the whole system is started with it, at no cost: %s', (_what, policy, exit) => {
  const before = playFrom(initialState({ unmetReason: null }), policy, [
    [0, { type: 'nothing-found' }],
    [0, { type: 'spawned', generation: 1, pid: 1 }],
    [5, { type: 'hold' }],
    [6, { type: 'exited', generation: 1, exit }],
    [6, { type: 'tree-gone', generation: 1 }],
  ]);
  expect(before.state.name).toBe('stopped');
  const after = playFrom(initialState(before.state.persisted), policy, [
    [20, { type: 'exited-while-away', generation: 1, exit, isKnown: true }],
  ]);
  expect(after.lines).toEqual([
    expect.stringMatching(/^20: starting, spawn 2, .*it was stopped with the whole system/),
  ]);
  expect(after.state.persisted.tracker).toEqual(EMPTY_TRACKER);
  // What then happens to it is judged again.
  const crashed = playFrom(initialState(after.state.persisted), {}, [
    [30, { type: 'exited-while-away', generation: 2, exit: { kind: 'code', code: 7 } }],
  ]);
  expect(crashed.lines[0]).toContain('exit code 7; restart 1 of');
});

test.each([
  ['its end is found by the next agent', { type: 'exited-while-away', generation: 1 }],
  ['the next agent adopts it, and it ends then', { type: 'exited', generation: 1 }],
] as const)('a restart that was asked for costs nothing when the agent is killed within it: %s', (_what, end) => {
  const exit = { kind: 'signal', signal: 'SIGTERM' } as const;
  const before = playFrom(initialState({ unmetReason: null }), {}, [
    [0, nothingFound],
    [1, spawned(1)],
    [2, { type: 'restart', by: 'anna' }],
  ]);
  const adopted: [number, Event][] =
    end.type === 'exited' ? [[10, { type: 'adopted', generation: 1, hasStarted: true }]] : [];
  const after = playFrom(initialState(before.state.persisted), {}, [...adopted, [20, { ...end, exit }]]);
  expect(after.lines.at(-1)).toMatch(/^20: starting, spawn 2, .*it was asked to restart/);
  expect(after.state.persisted.tracker).toEqual(EMPTY_TRACKER);
});

test('a job that was done stays done over a stop of the whole system', () => {
  const exit = { kind: 'code', code: 0 } as const;
  const saved = initialState({ generation: 1, heldGeneration: 1, unmetReason: null });
  expect(
    playFrom(saved, { kind: 'job' }, [[20, { type: 'exited-while-away', generation: 1, exit, isKnown: true }]]).state
      .name,
  ).toBe('completed');
});

test('an orphan is not touched until the operator says so', () => {
  expect(
    play({}, [
      [0, { type: 'orphan-found', reason: 'pid 99 holds the lock and cannot be proven' }],
      [1, start],
      [2, { type: 'forget', by: 'anna' }],
    ]),
  ).toEqual([
    '0: orphaned (pid 99 holds the lock and cannot be proven)',
    '1: orphaned (not touched: pid 99 holds the lock and cannot be proven)',
    '2: starting, spawn 1, wake at 62 (asked to forget by anna)',
  ]);
});

test('a system shutdown stops it without changing what is wanted', () => {
  const { lines, state } = playFrom(initialState({ unmetReason: null }), {}, [
    [0, nothingFound],
    [1, spawned(1)],
    [2, { type: 'hold' }],
    [3, gone(1)],
  ]);
  expect(lines.at(-1)).toBe('3: stopped, clear-wake (nothing of its tree is left)');
  expect(state.persisted.desired).toBe('up');
});
