/**
 * One mailbox for one instance: event → step → effects. Nothing else changes the instance's state, and nothing waits in
 * here: what takes time answers with an event of its own. The order within a step is the safety of the whole: what persists is
 * saved first, so that no run is ever started that a killed agent would not know of; then it is announced; then it is done.
 */

import { messageOf } from '@muster/contracts';
import type { Effect } from '../../core/effect.ts';
import type { Event } from '../../core/event.ts';
import { type Exit, isSuccess } from '../../core/exit.ts';
import type { Policy } from '../../core/policy.ts';
import { initialState, type PersistedState, type State } from '../../core/state.ts';
import { step } from '../../core/step.ts';
import type { Driver, InstanceKey, Run, RunEnded, RunSpec, StartFailed } from '../../drivers/driver.ts';
import { monotonicNowMs } from '../../host/clock.ts';
import type { RunMarks, SavedInstance } from '../../state/instance-store.ts';
import { type InstanceProbes, LiveRun } from './live-run.ts';
import type { ProbeFinding } from './probe-runner.ts';

/** What a step changed, for those who tell others. */
export interface Transition {
  readonly from: State;
  readonly to: State;
  readonly event: Event;
  readonly reason: string;
  /** Ids of the commands, verdicts or events that led here. */
  readonly causes: readonly string[];
}

export interface InstanceRunnerOptions {
  readonly key: InstanceKey;
  readonly policy: Policy;
  /** `undefined`: this build or host cannot run it; the reason is `driverLack`. */
  readonly driver: Driver | undefined;
  readonly driverLack?: string;
  /** Resolved afresh at each start, so that a changed env_file counts. @throws Error when it cannot be resolved. */
  readonly resolveRun: (generation: number) => RunSpec;
  /** Puts in place what the run needs on disk, right before it starts. Rejects with why that cannot be done. */
  readonly beforeStart?: () => Promise<void>;
  readonly saved: SavedInstance;
  readonly save: (persisted: PersistedState, marks: RunMarks) => void;
  readonly onTransition: (transition: Transition) => void;
  readonly openProbes: (generation: number, onFinding: (finding: ProbeFinding) => void) => InstanceProbes;
  /** May it be restarted for its health? Never rejects. */
  readonly askRecovery: (generation: number, reason: string) => Promise<{ granted: boolean; reason: string }>;
  /** Runs the task when there is nothing more urgent to do. */
  readonly prepareLater: (task: () => Promise<void>) => void;
  /** What else is known about an exit, for its reason. Called between a crash and its restart, so it must be quick. */
  readonly explainExit: (exit: Exit, livedMs: number) => string | undefined;
  readonly onBug: (what: string, error: unknown) => void;
}

interface Message {
  readonly event: Event;
  readonly causes: readonly string[];
}

const CHANGED_SINCE = 'its configuration has changed since it was started: a restart applies that';

export class InstanceRunner {
  readonly #options: InstanceRunnerOptions;
  readonly #mailbox: Message[] = [];
  readonly #closing = new AbortController();
  #state: State;
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;
  #live: LiveRun | undefined;
  #startedGeneration: number;
  #endedGeneration: number;
  #lastExit: Exit | undefined;
  #isRecovering = false;
  /** What the steps at hand go back to, until the instance comes to rest: a stop's `stopped` names the command too. */
  #ongoingCauses: readonly string[] = [];
  #lastReason = '';

  constructor(options: InstanceRunnerOptions) {
    this.#options = options;
    this.#state = initialState(options.saved);
    this.#startedGeneration = options.saved.startedGeneration ?? 0;
    this.#endedGeneration = options.saved.endedGeneration ?? 0;
  }

  get key(): InstanceKey {
    return this.#options.key;
  }

  get policy(): Policy {
    return this.#options.policy;
  }

  get state(): State {
    return this.#state;
  }

  /** Why the last step went as it did: the answer to the command that was just posted. */
  get lastReason(): string {
    return this.#lastReason;
  }

  /** The live run, if there is one. */
  get run(): Run | undefined {
    return this.#live?.run;
  }

  /** How the last run ended, as far as this agent knows. */
  get lastExit(): Exit | undefined {
    return this.#lastExit;
  }

  /** The driver has been asked what runs and has not answered yet. */
  get isRecovering(): boolean {
    return this.#isRecovering;
  }

  /** Asks the driver what became of the last run. Settles once the answer has been handled. */
  async recover(causes: readonly string[] = []): Promise<void> {
    this.#isRecovering = true;
    try {
      await this.#recover(causes);
    } finally {
      this.#isRecovering = false;
    }
  }

  async #recover(causes: readonly string[]): Promise<void> {
    const { driver, driverLack, key } = this.#options;
    if (driver === undefined) {
      this.post({ type: 'facts-unavailable', reason: driverLack ?? 'its driver is missing' }, causes);
      return;
    }
    try {
      const found = await driver.recover(key, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      switch (found.kind) {
        case 'run': {
          const live = this.#follow(new LiveRun(found.generation, Promise.resolve(found)));
          live.run = found;
          const hasStarted = this.#startedGeneration === found.generation;
          const note = this.#isConfiguredLike(found) ? {} : { note: CHANGED_SINCE };
          this.post({ type: 'adopted', generation: found.generation, hasStarted, ...note }, causes);
          this.#watchExit(live, found);
          return;
        }
        case 'run-ended':
          // What a job has completed counts for the specification that it had: another is another job.
          if (this.#options.policy.kind === 'job' && isSuccess(found.exit) && !this.#isConfiguredLike(found)) {
            this.post({ type: 'nothing-found' }, causes);
            return;
          }
          this.#lastExit = found.exit;
          this.#postEnd(found, causes);
          return;
        case 'nothing-found':
          this.post({ type: 'nothing-found' }, causes);
          return;
        case 'orphan':
          this.post({ type: 'orphan-found', reason: found.reason }, causes);
      }
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // Not knowing what runs must never lead to a second copy.
      this.post({ type: 'orphan-found', reason: `cannot tell what runs: ${messageOf(error)}` }, causes);
    }
  }

  #postEnd({ generation, exit }: RunEnded, causes: readonly string[]): void {
    const isKnown = generation <= this.#endedGeneration;
    this.post({ type: 'exited-while-away', generation, exit, ...(isKnown && { isKnown }) }, causes);
  }

  /** What cannot be resolved now tells nothing against the run. */
  #isConfiguredLike({ generation, specHash }: Pick<Run, 'generation' | 'specHash'>): boolean {
    try {
      return this.#options.resolveRun(generation).specHash === specHash;
    } catch {
      return true;
    }
  }

  /** Handled before this returns, unless another message is being handled; then right after that one. */
  post(event: Event, causes: readonly string[] = []): void {
    if (this.#closing.signal.aborted) return;
    this.#mailbox.push({ event, causes });
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let message = this.#mailbox.shift(); message !== undefined; message = this.#mailbox.shift()) {
        this.#handleMessage(message);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  /** Lets go: no more timers, probes or effects. The service goes on. */
  detach(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
    this.#live?.letGo();
  }

  #handleMessage({ event, causes }: Message): void {
    const from = this.#state;
    const { state, effects, reason } = step(from, event, monotonicNowMs(), this.#options.policy, Math.random());
    this.#state = state;
    if (event.type === 'exited' || event.type === 'exited-while-away') this.#lastExit = event.exit;
    const hasStarted = state.name === 'running' && this.#startedGeneration !== state.persisted.generation;
    if (hasStarted) this.#startedGeneration = state.persisted.generation;
    if (state.persisted !== from.persisted || hasStarted) this.#save();
    this.#lastReason = reason;
    if (causes.length > 0) this.#ongoingCauses = causes;
    this.#tell({ from, to: state, event, reason, causes: this.#ongoingCauses });
    if (isAtRest(state)) this.#ongoingCauses = [];
    this.#markEnd(event);
    for (const effect of effects) this.#carryOut(effect);
  }

  /** Only once the end has been told: killed in between, the next agent finds in its outbox that it was. */
  #markEnd(event: Event): void {
    if (event.type !== 'exited' && event.type !== 'exited-while-away') return;
    if (event.generation <= this.#endedGeneration) return;
    this.#endedGeneration = event.generation;
    this.#save();
  }

  #save(): void {
    const marks = { startedGeneration: this.#startedGeneration, endedGeneration: this.#endedGeneration };
    this.#options.save(this.#state.persisted, marks);
  }

  /** A step that cannot be told is carried out all the same: half a step would leave the instance stuck. */
  #tell(transition: Transition): void {
    try {
      this.#options.onTransition(transition);
    } catch (error) {
      this.#options.onBug(`telling of ${this.#options.key.service}`, error);
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'spawn':
        this.#spawn(effect.generation);
        return;
      case 'signal-tree':
        this.#stopTree(effect.generation, (run) => run.signalTree(effect.signal as NodeJS.Signals));
        return;
      case 'kill-tree':
        this.#stopTree(effect.generation, (run) => run.killTree());
        return;
      case 'ask-recovery':
        this.#askRecovery(effect.generation, effect.reason);
        return;
      case 'start-probes':
        this.#startProbes(effect.generation, effect.from);
        return;
      case 'stop-probes':
        this.#liveOf(effect.generation)?.stopProbes();
        return;
      case 'wake-at':
        this.#wakeAt(effect.atMs);
        return;
      case 'clear-wake':
        clearTimeout(this.#timer);
    }
  }

  #spawn(generation: number): void {
    const { driver, resolveRun } = this.#options;
    if (driver === undefined) return;
    const start = new AbortController();
    const answer = this.#startRun(driver, () => resolveRun(generation), start.signal).then((started) => {
      if (this.#closing.signal.aborted) return undefined;
      if (started.kind === 'start-failed') {
        this.post({ type: 'start-failed', generation, reason: started.reason, isRetryable: started.isRetryable });
        return undefined;
      }
      live.run = started;
      this.post({ type: 'spawned', generation, pid: started.pid });
      this.#watchExit(live, started);
      return started;
    });
    const live = this.#follow(new LiveRun(generation, answer, start));
  }

  async #startRun(driver: Driver, resolve: () => RunSpec, signal: AbortSignal): Promise<Run | StartFailed> {
    let spec: RunSpec;
    try {
      if (this.#options.beforeStart !== undefined) await this.#options.beforeStart();
      spec = resolve();
    } catch (error) {
      return { kind: 'start-failed', isRetryable: true, reason: messageOf(error) };
    }
    try {
      return await driver.start(spec, signal);
    } catch (error) {
      this.#options.onBug(`starting ${spec.service}`, error);
      return { kind: 'start-failed', isRetryable: true, reason: messageOf(error) };
    }
  }

  /** What was there before is over. */
  #follow(live: LiveRun): LiveRun {
    this.#live?.stopProbes();
    this.#live = live;
    return live;
  }

  #watchExit(live: LiveRun, run: Run): void {
    void run.exited.then((exit) => {
      live.run = undefined;
      const note = this.#options.explainExit(exit, monotonicNowMs() - run.startedAtMs);
      this.post({ type: 'exited', generation: run.generation, exit, ...(note !== undefined && { note }) });
    });
  }

  /** A crash then costs no more than a word to a shim that waits already. */
  async #prepareSuccessor(of: LiveRun): Promise<void> {
    const { driver, resolveRun, onBug, key } = this.#options;
    const isWanted = this.#live === of && of.run !== undefined && !this.#closing.signal.aborted;
    if (!isWanted) return;
    try {
      await driver?.prepare?.(resolveRun(of.generation + 1));
    } catch (error) {
      // What cannot be resolved now is reported by the start itself.
      onBug(`preparing the next start of ${key.service}`, error);
    }
  }

  #stopTree(generation: number, act: (run: Run) => Promise<void>): void {
    const live = this.#liveOf(generation);
    if (live === undefined) return;
    const onGone = () => this.post({ type: 'tree-gone', generation });
    live.stopTree(act, onGone, this.#closing.signal).catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#options.onBug(`stopping ${this.#options.key.service}`, error);
    });
  }

  #askRecovery(generation: number, reason: string): void {
    void this.#options.askRecovery(generation, reason).then((answer) => {
      const type = answer.granted ? 'recovery-granted' : 'recovery-denied';
      this.post({ type, generation, reason: answer.reason });
    });
  }

  #startProbes(generation: number, from: 'startup' | 'readiness'): void {
    const live = this.#liveOf(generation);
    if (live === undefined || live.isProbed) return;
    const probes = this.#options.openProbes(generation, (finding) => this.post({ ...finding, generation }));
    live.startProbes(probes, from);
    // The run stands: have its successor ready for the day it is needed.
    this.#options.prepareLater(() => this.#prepareSuccessor(live));
  }

  /** A run that is over by now is nobody's business. */
  #liveOf(generation: number): LiveRun | undefined {
    return this.#live?.generation === generation ? this.#live : undefined;
  }

  #wakeAt(atMs: number): void {
    clearTimeout(this.#timer);
    // setTimeout holds 31 bits; a longer wait is cut, and the core sets an early deadline again.
    const waitMs = Math.min(Math.max(0, atMs - monotonicNowMs()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.post({ type: 'deadline' }), Math.ceil(waitMs));
  }
}

function isAtRest(state: State): boolean {
  return (
    state.name === 'stopped' ||
    state.name === 'completed' ||
    state.name === 'failed' ||
    state.name === 'backoff' ||
    (state.name === 'running' && state.ready === 'yes')
  );
}
