/** Random histories against a simulated host: what must hold whatever happens, in whatever order. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Effect } from './effect.ts';
import type { Event, RunEvent } from './event.ts';
import type { Step } from './handler.ts';
import { DEFAULT_POLICY, type Policy } from './policy.ts';
import { EMPTY_TRACKER, restartPolicy } from './restart-tracker.ts';
import { deadlineOf, initialState, type State, wantsUp } from './state.ts';
import { step } from './step.ts';
import { table } from './table.ts';

const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000_007);
console.log(`step properties: MUSTER_TEST_SEED=${seed}`);
const RUNS = { seed, numRuns: 400 };

/** How the simulated host behaves until told otherwise. */
interface Temper {
  readonly spawnDelayMs: number;
  readonly canSpawn: boolean;
  readonly obeysStopSignal: boolean;
  readonly leavesGrandchild: boolean;
  readonly grantsRecovery: boolean;
}

const KIND: Temper = {
  spawnDelayMs: 5,
  canSpawn: true,
  obeysStopSignal: true,
  leavesGrandchild: false,
  grantsRecovery: true,
};

/** Answers effects as a driver does, late and possibly after the instance has moved on. */
class World {
  state: State = initialState();
  nowMs = 1_000_000;
  temper: Temper = KIND;
  readonly policy: Policy;
  readonly steps: { readonly before: State; readonly event: Event; readonly nowMs: number; readonly after: Step }[] =
    [];
  readonly #random: () => number;
  #answers: { readonly atMs: number; readonly event: Event }[] = [];
  #wakeAtMs: number | null = null;
  #spawning: { readonly generation: number; readonly doneAtMs: number; readonly succeeds: boolean } | null = null;
  /** The run whose main process lives. */
  live: number | null = null;
  #treeRemains = false;
  #lastEnded = 0;

  constructor(policy: Policy, random: () => number) {
    this.policy = policy;
    this.#random = random;
    this.recover();
  }

  send(event: Event): void {
    if (event.type === 'deadline') this.#wakeAtMs = null;
    const before = this.state;
    const after = step(before, event, this.nowMs, this.policy, this.#random());
    this.steps.push({ before, event, nowMs: this.nowMs, after });
    this.state = after.state;
    for (const effect of after.effects) this.#carryOut(effect);
  }

  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const answer = this.#answers.reduce<{ readonly atMs: number; readonly event: Event }>(
        (a, b) => (b.atMs < a.atMs ? b : a),
        {
          atMs: Infinity,
          event: { type: 'hold' },
        },
      );
      const spawnAtMs = this.#spawning?.doneAtMs ?? Infinity;
      const wakeAtMs = this.#wakeAtMs ?? Infinity;
      const nextMs = Math.min(answer.atMs, spawnAtMs, wakeAtMs);
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (nextMs === spawnAtMs) this.#finishSpawn(true);
      else if (nextMs === wakeAtMs) this.send({ type: 'deadline' });
      else {
        this.#answers = this.#answers.filter((other) => other !== answer);
        this.send(answer.event);
      }
    }
    this.nowMs = endMs;
  }

  crash(code: number): void {
    if (this.live === null) return;
    const generation = this.live;
    this.#die(this.temper.leavesGrandchild);
    this.#answer(3, { type: 'exited', generation, exit: { kind: 'code', code } });
  }

  /** The agent dies: events on their way are lost, the persisted state and the processes stay. */
  agentDies(): void {
    this.#answers = [];
    this.#wakeAtMs = null;
    this.state = initialState(JSON.parse(JSON.stringify(this.state.persisted)));
    this.recover();
  }

  engineGoesAway(): void {
    this.send({ type: 'facts-unavailable', reason: 'the engine is away' });
  }

  /** What a driver answers when it is asked what lives. */
  recover(): void {
    if (this.state.name !== 'unknown') return;
    this.#finishSpawn(false);
    if (this.live !== null) this.send({ type: 'adopted', generation: this.live, hasStarted: true });
    else if (this.#lastEnded > 0) {
      this.send({ type: 'exited-while-away', generation: this.#lastEnded, exit: { kind: 'unknown' } });
    } else this.send({ type: 'nothing-found' });
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'spawn':
        if (this.live !== null) throw new Error(`run ${effect.generation} is spawned while run ${this.live} lives`);
        if (this.#spawning !== null)
          throw new Error(`run ${effect.generation} is spawned while another spawn is under way`);
        this.#treeRemains = false;
        this.#spawning = {
          generation: effect.generation,
          doneAtMs: this.nowMs + this.temper.spawnDelayMs,
          succeeds: this.temper.canSpawn,
        };
        return;
      case 'signal-tree':
        if (this.temper.obeysStopSignal && this.#spawning === null) this.#end(effect.generation, 'SIGTERM');
        return;
      case 'kill-tree':
        if (this.#spawning === null) this.#end(effect.generation, 'SIGKILL');
        return;
      case 'ask-recovery': {
        const type = this.temper.grantsRecovery ? 'recovery-granted' : 'recovery-denied';
        this.#answer(2_000, { type, generation: effect.generation, reason: effect.reason });
        return;
      }
      case 'wake-at':
        this.#wakeAtMs = effect.atMs;
        return;
      case 'clear-wake':
        this.#wakeAtMs = null;
        return;
      case 'start-probes':
        if (effect.from === 'startup') this.#answer(200, { type: 'startup-passed', generation: effect.generation });
        this.#answer(300, { type: 'ready', generation: effect.generation });
        return;
      case 'stop-probes':
    }
  }

  #finishSpawn(tells: boolean): void {
    if (this.#spawning === null) return;
    const { generation, succeeds } = this.#spawning;
    this.#spawning = null;
    if (succeeds) this.live = generation;
    else this.#lastEnded = generation;
    if (!tells) return;
    this.send(
      succeeds
        ? { type: 'spawned', generation, pid: 4242 }
        : { type: 'start-failed', generation, reason: 'spawn EAGAIN', isRetryable: true },
    );
  }

  #end(generation: number, signal: string): void {
    if (this.live === generation) {
      this.#die(false);
      this.#answer(10, { type: 'exited', generation, exit: { kind: 'signal', signal } });
    }
    if (signal === 'SIGKILL') this.#treeRemains = false;
    if (!this.#treeRemains) this.#answer(20, { type: 'tree-gone', generation });
  }

  #die(remains: boolean): void {
    this.#lastEnded = this.live ?? this.#lastEnded;
    this.live = null;
    this.#treeRemains = remains;
  }

  #answer(delayMs: number, event: Event): void {
    this.#answers.push({ atMs: this.nowMs + delayMs, event });
  }
}

type Act = (world: World) => void;

const temper: fc.Arbitrary<Temper> = fc.record({
  spawnDelayMs: fc.constantFrom(0, 5, 700, 90_000),
  canSpawn: fc.boolean(),
  obeysStopSignal: fc.boolean(),
  leavesGrandchild: fc.boolean(),
  grantsRecovery: fc.boolean(),
});

const unconditional: fc.Arbitrary<Event> = fc.oneof(
  fc.constantFrom<Event>(
    { type: 'start', by: 'anna' },
    { type: 'stop', by: 'anna' },
    { type: 'restart' },
    { type: 'dependencies-met' },
    { type: 'dependencies-met' },
    { type: 'dependencies-unmet', reason: 'waits for db to be ready' },
    { type: 'deadline' },
    { type: 'forget' },
  ),
);

const RUN_EVENTS: readonly ((generation: number) => RunEvent)[] = [
  (generation) => ({ type: 'spawned', generation, pid: 1 }),
  (generation) => ({ type: 'start-failed', generation, reason: 'spawn ENOENT', isRetryable: false }),
  (generation) => ({ type: 'startup-passed', generation }),
  (generation) => ({ type: 'startup-failed', generation, reason: 'startup probe failed' }),
  (generation) => ({ type: 'ready', generation }),
  (generation) => ({ type: 'not-ready', generation, reason: 'status 503' }),
  (generation) => ({ type: 'liveness-failed', generation, reason: 'liveness probe timed out 3 times' }),
  (generation) => ({ type: 'recovery-granted', generation, reason: 'unhealthy by verdict' }),
  (generation) => ({ type: 'recovery-denied', generation, reason: 'no slot' }),
  (generation) => ({ type: 'exited', generation, exit: { kind: 'code', code: 0 } }),
  (generation) => ({ type: 'tree-gone', generation }),
];

/** Probes judge a run that lives: anything else would be a lie of the driver, not bad luck. */
const judgement = fc.constantFrom('ready', 'not-ready', 'liveness-failed', 'startup-failed', 'recovery-granted');

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: 0, max: 20_000 }).map(
      (ms): Act =>
        (world) =>
          world.advance(ms),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(30_000, 700_000).map(
      (ms): Act =>
        (world) =>
          world.advance(ms),
    ),
  },
  {
    weight: 6,
    arbitrary: unconditional.map(
      (event): Act =>
        (world) =>
          world.send(event),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom(0, 1, 137).map(
      (code): Act =>
        (world) =>
          world.crash(code),
    ),
  },
  {
    weight: 4,
    arbitrary: judgement.map(
      (type): Act =>
        (world) =>
          judge(world, type),
    ),
  },
  {
    weight: 2,
    arbitrary: temper.map(
      (next): Act =>
        (world) =>
          void (world.temper = next),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.agentDies()) },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.engineGoesAway()) },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.recover()) },
);

function judge(world: World, type: 'ready' | 'not-ready' | 'liveness-failed' | 'startup-failed' | 'recovery-granted') {
  if (world.live === null) return;
  const event = RUN_EVENTS.map((build) => build(world.live ?? 0)).find((built) => built.type === type);
  if (event !== undefined) world.send(event);
}

const policy: fc.Arbitrary<Policy> = fc
  .record({
    kind: fc.constantFrom<Policy['kind']>('service', 'service', 'job'),
    isSystem: fc.boolean(),
    autoRestart: fc.constantFrom(true, true, false),
    restart: fc.constantFrom(
      restartPolicy(),
      restartPolicy({ maxRestarts: 3 }),
      restartPolicy({ maxRestarts: 0 }),
      restartPolicy({ maxRestarts: 5, restartDelayMs: 60_000 }),
    ),
    hasStartupProbe: fc.boolean(),
    hasReadinessProbe: fc.boolean(),
    slowRetryMs: fc.constantFrom(600_000, null),
  })
  .map((some) => ({ ...DEFAULT_POLICY, ...some }));

/** A world after a random history. */
const history = fc.record({
  policy,
  acts: fc.array(act, { maxLength: 60 }),
  noise: fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
});

function live(
  { policy, acts, noise }: { policy: Policy; acts: readonly Act[]; noise: fc.Stream<number> },
  check: (world: World) => void = () => undefined,
): World {
  const world = new World(policy, () => noise.next().value ?? 0);
  for (const act of acts) {
    act(world);
    check(world);
  }
  return world;
}

function beKind(world: World): void {
  world.temper = KIND;
  if (world.state.name === 'unknown') world.recover();
  if (world.state.name === 'orphaned') world.send({ type: 'nothing-found' });
  judge(world, 'ready');
}

test('the table has every cell', () => {
  const columns = Object.keys(table.pending).sort();
  expect(Object.keys(table)).toHaveLength(10);
  expect(columns).toHaveLength(24);
  for (const row of Object.values(table)) {
    expect(Object.keys(row).sort()).toEqual(columns);
    for (const cell of Object.values(row)) expect(cell).toBeTypeOf('function');
  }
});

describe('whatever happens in whatever order', () => {
  test('never two live runs, and generations only grow', () => {
    fc.assert(
      fc.property(history, (past) => {
        // The world itself refuses a spawn while anything lives.
        const spawned = live(past).steps.flatMap(({ after }) => after.effects.filter((e) => e.do === 'spawn'));
        const generations = spawned.map((effect) => effect.generation);
        expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
      }),
      RUNS,
    );
  });

  test('what is not wanted up is never spawned, and is on its way down', () => {
    fc.assert(
      fc.property(history, fc.nat(59), (past, heldAt) => {
        let acts = 0;
        const { steps } = live(past, (world) => {
          if (acts++ === heldAt) world.send({ type: 'hold' });
        });
        const spawnedUnwanted = steps.filter(
          ({ after }) => !wantsUp(after.state.persisted) && after.effects.some((effect) => effect.do === 'spawn'),
        );
        expect(spawnedUnwanted).toEqual([]);
        const unwanted = steps
          .filter(({ after }) => !wantsUp(after.state.persisted))
          .map(({ after }) => after.state.name);
        expect(['stopping', 'stopped', 'completed', 'orphaned', 'unknown']).toEqual(expect.arrayContaining(unwanted));
      }),
      RUNS,
    );
  });

  test.each(['stop', 'hold'] as const)('a %s ends with nothing left, by SIGKILL if need be', (type) => {
    fc.assert(
      fc.property(history, temper, (past, temper) => {
        const world = live(past);
        beKind(world);
        world.temper = temper;
        const { desired } = world.state.persisted;
        world.send({ type });
        // The slowest spawn, the grace, and one more SIGKILL for a spawn that ended late.
        world.advance(90_000 + world.policy.stopTimeoutMs + 2 * world.policy.killRepeatMs + 100);
        expect(['stopped', 'completed']).toContain(world.state.name);
        expect(world.live).toBeNull();
        expect(world.state.persisted.desired).toBe(type === 'stop' ? 'down' : desired);
      }),
      RUNS,
    );
  });

  test('what ignores the stop signal is killed exactly when its grace is over', () => {
    fc.assert(
      fc.property(history, (past) => {
        const world = live(past);
        beKind(world);
        world.temper = { ...KIND, obeysStopSignal: false };
        fc.pre(world.live !== null && world.state.name === 'running');
        world.send({ type: 'stop' });
        world.advance(world.policy.stopTimeoutMs - 1);
        expect(world.state.name).toBe('stopping');
        world.advance(1 + 50);
        expect(world.state.name).toBe('stopped');
      }),
      RUNS,
    );
  });

  test('automatic restarts never exceed the budget in any window', () => {
    fc.assert(
      fc.property(history, (past) => {
        const { steps, policy } = live({ ...past, policy: { ...past.policy, isSystem: false } });
        let restartsAtMs: number[] = [];
        for (const { before, event, nowMs, after } of steps) {
          if (before.persisted.tracker !== EMPTY_TRACKER && after.state.persisted.tracker === EMPTY_TRACKER)
            restartsAtMs = [];
          if (!after.effects.some((e) => e.do === 'spawn') || !isAutomatic(before, event)) continue;
          restartsAtMs = [...restartsAtMs.filter((atMs) => atMs > nowMs - policy.restart.windowMs), nowMs];
          expect(restartsAtMs.length).toBeLessThanOrEqual(policy.restart.budget);
        }
      }),
      RUNS,
    );
  });

  test('a system service never fails', () => {
    fc.assert(
      fc.property(history, (past) => {
        const { steps } = live({ ...past, policy: { ...past.policy, isSystem: true } });
        for (const { after } of steps) expect(after.state.name).not.toBe('failed');
      }),
      RUNS,
    );
  });

  test('late news of an old run changes nothing', () => {
    fc.assert(
      fc.property(history, (past) => {
        live(past, ({ state, nowMs, policy }) => {
          for (const build of RUN_EVENTS) {
            const late = step(state, build(state.persisted.generation - 1), nowMs, policy, 0.5);
            expect(late.state).toBe(state);
            expect(late.effects).toEqual([]);
          }
        });
      }),
      { ...RUNS, numRuns: 100 },
    );
  });

  test('there is a way out: wanted up in a kind world, it runs in the end', () => {
    fc.assert(
      fc.property(history, (past) => {
        const world = live({ ...past, policy: { ...past.policy, autoRestart: true, slowRetryMs: 600_000 } });
        beKind(world);
        world.send({ type: 'dependencies-met' });
        if (world.state.persisted.desired === 'down') world.send({ type: 'start' });
        world.advance(30 * 60_000);
        beKind(world);
        expect(['running', 'completed']).toContain(world.state.name);
        world.advance(world.policy.goodRunMs + 1);
        expect(world.state.persisted).toMatchObject({ tracker: EMPTY_TRACKER, failure: null });
      }),
      RUNS,
    );
  });

  test('same events, same states, and no state is changed in place', () => {
    fc.assert(
      fc.property(history, (past) => {
        const { steps, policy } = live(past);
        for (const { before, event, nowMs } of steps) {
          const once = step(deepFreeze(structuredClone(before)), event, nowMs, policy, 0.25);
          expect(step(before, event, nowMs, policy, 0.25)).toEqual(once);
        }
      }),
      { ...RUNS, numRuns: 100 },
    );
  });
});

test('events that no honest driver would send break nothing: the wake always is the deadline of the state', () => {
  const anything: fc.Arbitrary<(state: State) => Event> = fc.oneof(
    unconditional.map((event) => () => event),
    fc
      .constantFrom<Event>(
        { type: 'hold' },
        { type: 'nothing-found' },
        { type: 'orphan-found', reason: 'its start time differs' },
        { type: 'facts-unavailable', reason: 'the engine is away' },
      )
      .map((event) => () => event),
    fc.boolean().map(
      (hasStarted) =>
        ({ persisted }: State): Event => ({
          type: 'adopted',
          generation: persisted.generation + 1,
          hasStarted,
        }),
    ),
    fc.constantFrom(...RUN_EVENTS).map(
      (build) =>
        ({ persisted }: State) =>
          build(persisted.generation),
    ),
  );
  fc.assert(
    fc.property(policy, fc.array(fc.tuple(anything, fc.nat(700_000))), (policy, script) => {
      let state: State = initialState();
      let wakeAtMs: number | null = null;
      let nowMs = 0;
      for (const [build, passedMs] of script) {
        nowMs += passedMs;
        const event = build(state);
        if (event.type === 'deadline') wakeAtMs = null;
        const next = step(state, event, nowMs, policy, 0.5);
        for (const effect of next.effects) {
          if (effect.do === 'wake-at') wakeAtMs = effect.atMs;
          if (effect.do === 'clear-wake') wakeAtMs = null;
        }
        expect(next.reason).toMatch(/^\S.*[^.]$/);
        state = next.state;
        expect(wakeAtMs).toBe(deadlineOf(state));
      }
    }),
    { ...RUNS, numRuns: 1_000 },
  );
});

/** A restart that nobody asked for, told from where it came from and not from the tracker's own books. */
function isAutomatic(before: State, event: Event): boolean {
  switch (before.name) {
    case 'backoff':
      return event.type === 'deadline';
    case 'pending':
      return before.restartAtMs !== null && event.type === 'dependencies-met';
    case 'stopping':
      return before.after.kind === 'restart';
    case 'starting':
    case 'running':
      return true;
    case 'unknown':
      return event.type === 'exited-while-away' || event.type === 'exited';
    case 'stopped':
    case 'completed':
    case 'failed':
    case 'orphaned':
      return false;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
