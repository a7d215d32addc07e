import type { Claimant } from '@muster/contracts';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClaimState, NOT_CONNECTED, stepClaim, TAKE_OVER_AFTER_MS } from './host-claim.ts';

const claimant = (name: string, epoch = 1): Claimant => ({ claimant: name, agentId: name, bootId: 'b', epoch });

describe('the story of one agent', () => {
  const self = claimant('self', 5);
  const older = claimant('older', 4);
  const newer = claimant('newer', 6);
  const waiting = (rival: Claimant, silentSinceMs: number): ClaimState => ({ name: 'waiting', rival, silentSinceMs });

  test.each([
    ['asks before it says anything', NOT_CONNECTED, { type: 'connected' }, { name: 'asking' }, 0],
    ['alone, it begins and asks once more', { name: 'asking' }, { type: 'unanswered' }, { name: 'holding' }, 0],
    ['waits for who is there', { name: 'asking' }, { type: 'answered', rival: newer }, waiting(newer, 1_000), 2_500],
    [
      'gives way to an older holder',
      { name: 'holding' },
      { type: 'answered', rival: older },
      waiting(older, 1_000),
      2_500,
    ],
    ['stays before a newer one', { name: 'holding' }, { type: 'answered', rival: newer }, { name: 'holding' }, 15_000],
    ['asks at once when a holder asks', { name: 'holding' }, { type: 'asked-by-holder' }, { name: 'holding' }, 0],
    ['is patient', waiting(newer, 1_000 - 14_999), { type: 'unanswered' }, waiting(newer, 1_000 - 14_999), 2_500],
    ['takes over', waiting(newer, 1_000 - TAKE_OVER_AFTER_MS), { type: 'unanswered' }, { name: 'holding' }, 0],
    ['keeps in mind who held it', waiting(newer, 0), { type: 'disconnected' }, { name: 'away', rival: newer }, null],
    ['lets that one come back first', { name: 'away', rival: newer }, { type: 'connected' }, waiting(newer, 1_000), 0],
    ['hears nothing of a lost connection', NOT_CONNECTED, { type: 'answered', rival: older }, NOT_CONNECTED, null],
  ] as const)('%s', (_what, state, event, next, askInMs) => {
    expect(stepClaim(state, event, self, 1_000)).toEqual({ state: next, askInMs });
  });
});

/** How long a question waits for its answer. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Several agents on one bus whose links have a delay and may be cut; a restart is a cut that costs the state. */
class Fleet {
  readonly agents: {
    readonly self: Claimant;
    state: ClaimState;
    askAtMs: number;
    isLinked: boolean;
    isAsking: boolean;
    /** Something happened while it asked that it must ask about once more. */
    asksAgain: boolean;
    connections: number;
  }[];
  nowMs = 0;
  /** How many held the host, over time. */
  readonly seen: { readonly nowMs: number; readonly holders: number }[] = [];
  readonly #inFlight: { readonly atMs: number; deliver(): void }[] = [];
  readonly #delayMs: () => number;

  constructor(selves: readonly Claimant[], delayMs: () => number) {
    this.#delayMs = delayMs;
    this.agents = selves.map((self) => ({
      self,
      state: NOT_CONNECTED,
      askAtMs: Number.POSITIVE_INFINITY,
      isLinked: false,
      isAsking: false,
      asksAgain: false,
      connections: 0,
    }));
  }

  link(at: number, isLinked: boolean): void {
    const agent = this.agents[at];
    if (agent === undefined || agent.isLinked === isLinked) return;
    agent.isLinked = isLinked;
    // What was asked on the connection before gets no answer any more.
    agent.isAsking = false;
    agent.asksAgain = false;
    agent.connections += 1;
    this.#step(at, { type: isLinked ? 'connected' : 'disconnected' });
  }

  run(forMs: number): void {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; this.nowMs += 10) {
      for (const message of this.#inFlight.splice(0)) {
        if (message.atMs <= this.nowMs) message.deliver();
        else this.#inFlight.push(message);
      }
      this.agents.forEach(({ askAtMs, isLinked }, at) => {
        if (isLinked && askAtMs <= this.nowMs) this.#ask(at);
      });
      this.seen.push({ nowMs: this.nowMs, holders: this.holders().length });
    }
  }

  holders(): readonly string[] {
    return this.agents.filter(({ state }) => state.name === 'holding').map(({ self }) => self.claimant);
  }

  /** The longest time for which two or more held the host at once. */
  longestTogetherMs(): number {
    let sinceMs = 0;
    let longestMs = 0;
    for (const { nowMs, holders } of this.seen) {
      if (holders < 2) sinceMs = nowMs;
      else longestMs = Math.max(longestMs, nowMs - sinceMs);
    }
    return longestMs;
  }

  #step(at: number, event: Parameters<typeof stepClaim>[1]): void {
    const agent = this.agents[at];
    if (agent === undefined) return;
    const { state, askInMs } = stepClaim(agent.state, event, agent.self, this.nowMs);
    agent.state = state;
    if (askInMs !== null) agent.askAtMs = Math.min(agent.askAtMs, this.nowMs + askInMs);
  }

  /** One question at a time. */
  #ask(at: number): void {
    const asker = this.agents[at];
    if (asker === undefined) return;
    asker.askAtMs = Number.POSITIVE_INFINITY;
    if (asker.isAsking) {
      asker.asksAgain = true;
      return;
    }
    asker.isAsking = true;
    asker.asksAgain = false;
    const { connections } = asker;
    let isAnswered = false;
    const settle = (event: Parameters<typeof stepClaim>[1]) => {
      if (isAnswered || asker.connections !== connections) return;
      isAnswered = true;
      asker.isAsking = false;
      this.#step(at, event);
      if (asker.asksAgain) asker.askAtMs = this.nowMs;
    };
    const isHolder = asker.state.name === 'holding';
    this.agents.forEach((other, index) => {
      if (index === at) return;
      this.#send(() => {
        if (!other.isLinked || other.state.name !== 'holding') return;
        if (isHolder) this.#step(index, { type: 'asked-by-holder' });
        this.#send(() => settle({ type: 'answered', rival: other.self }));
      });
    });
    this.#inFlight.push({ atMs: this.nowMs + ANSWER_TIMEOUT_MS, deliver: () => settle({ type: 'unanswered' }) });
  }

  #send(deliver: () => void): void {
    this.#inFlight.push({ atMs: this.nowMs + this.#delayMs(), deliver });
  }
}

const selves = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('a', 'b', 'c', 'd')), {
  minLength: 2,
  maxLength: 4,
  selector: ([, name]) => name,
});
const turns = fc.array(
  fc.record({ at: fc.nat(3), isLinked: fc.boolean(), forMs: fc.constantFrom(0, 20, 500, 3_000, 20_000) }),
  { maxLength: 20 },
);
const delays = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 20 });

function fleetOf(agents: readonly (readonly [number, string])[], delaysMs: readonly number[]): Fleet {
  let sent = 0;
  const next = () => delaysMs[sent++ % delaysMs.length] ?? 0;
  return new Fleet(
    agents.map(([epoch, name]) => claimant(name, epoch)),
    next,
  );
}

describe('several agents with one host id', () => {
  test('whatever links break, in the end exactly one speaks', () => {
    fc.assert(
      fc.property(selves, turns, delays, (agents, script, delaysMs) => {
        const fleet = fleetOf(agents, delaysMs);
        for (const { at, isLinked, forMs } of script) {
          fleet.link(at, isLinked);
          fleet.run(forMs);
        }
        fleet.agents.forEach((_, at) => {
          fleet.link(at, true);
        });
        fleet.run(60_000);
        expect(fleet.holders()).toHaveLength(1);
      }),
      { numRuns: 200 },
    );
  });

  test('two speak at once for no longer than their questions take', () => {
    fc.assert(
      fc.property(selves, turns, delays, (agents, script, delaysMs) => {
        const fleet = fleetOf(agents, delaysMs);
        for (const { at, isLinked, forMs } of script) {
          fleet.link(at, isLinked);
          fleet.run(forMs);
        }
        // The question that was under way when the second began, the next one, and the ways.
        expect(fleet.longestTogetherMs()).toBeLessThanOrEqual(2 * ANSWER_TIMEOUT_MS + 1_000);
      }),
      { numRuns: 200 },
    );
  });

  test('who is there and answers is never displaced by who comes later, whatever their numbers', () => {
    fc.assert(
      fc.property(selves, turns, delays, (agents, script, delaysMs) => {
        const fleet = fleetOf(agents, delaysMs);
        fleet.link(0, true);
        fleet.run(10_000);
        for (const { at, isLinked, forMs } of script) {
          if (at !== 0) fleet.link(at, isLinked);
          fleet.run(forMs);
          expect(fleet.holders()).toEqual([fleet.agents[0]?.self.claimant]);
        }
      }),
      { numRuns: 100 },
    );
  });
});
