import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@muster/contracts';
import { abortable } from '../../abortable.ts';
import type { Output } from '../../output/output.ts';
import {
  type Driver,
  describeInstance,
  type InstanceKey,
  type NothingFound,
  type Orphan,
  type Run,
  type RunEnded,
  type RunSpec,
  type StartFailed,
} from '../driver.ts';
import { FirstLook } from './first-look.ts';
import { findObstacle } from './preflight.ts';
import { readBootId } from './proc.ts';
import { ProcessTable } from './process-table.ts';
import { ProcessRun } from './run.ts';
import { createRunFolder, instanceFolderOf, otherRuns, readRuns, removeRun } from './run-folder.ts';
import { RunRecordWatch } from './run-record-watch.ts';
import { KILLED, type Ready, type Shim } from './shim.ts';
import { Spawner } from './spawner.ts';
import { type StartedRun, type Survey, surveyInstance } from './survey.ts';
import { type Session, stopLeftovers, type TreeQuery } from './tree.ts';

/** A start that comes this soon after an exit is a crash restart: every millisecond counts. */
const HOT_RESTART_MS = 50;

/** The look at every process takes milliseconds: it waits until the new run has had its first ones. */
const SWEEP_DELAY_MS = 250;

/** What the driver knows about one instance while it runs. */
interface Slot {
  readonly key: InstanceKey;
  readonly folder: string;
  warm: Shim | undefined;
  /** The last run that this agent started or adopted. */
  last: ProcessRun | undefined;
  starting: Promise<Run | StartFailed> | undefined;
  sweep: Sweep | undefined;
}

/** Nothing came into being, for its shim was not there to be given the go. */
interface Unborn {
  readonly kind: 'unborn';
  readonly reason: string;
}

/** What is done behind a start; the next start ends it first. */
interface Sweep {
  readonly done: Promise<void>;
  readonly abort: AbortController;
}

/**
 * Plain processes, each under a shim that outlives the agent (script.ts tells how). One instance of the driver per agent
 * and runtime folder.
 */
export class ProcessDriver implements Driver {
  readonly #runtimeFolder: string;
  readonly #spawner: Spawner;
  readonly #output: Output;
  readonly #bootId = readBootId();
  readonly #table = new ProcessTable();
  readonly #slots = new Map<string, Slot>();
  readonly #firstLook = new FirstLook(this.#table);
  readonly #closing = new AbortController();

  /** `runtimeFolder`: `muster/<agent-id>` on a tmpfs; made when missing. */
  constructor(options: { readonly runtimeFolder: string; readonly output: Output }) {
    this.#runtimeFolder = options.runtimeFolder;
    this.#spawner = new Spawner(options.runtimeFolder);
    this.#output = options.output;
  }

  async start(spec: RunSpec, signal: AbortSignal): Promise<Run | StartFailed> {
    const slot = this.#slot(spec);
    if (slot.starting !== undefined) return failed(`${describeInstance(spec)} is being started already`);
    const obstacle = findObstacle(spec);
    if (obstacle !== undefined) return { kind: 'start-failed', ...obstacle };
    slot.starting = this.#start(slot, spec, AbortSignal.any([signal, this.#closing.signal]));
    try {
      return await slot.starting;
    } catch (error) {
      return failed(`cannot start ${describeInstance(spec)}: ${messageOf(error)}`);
    } finally {
      slot.starting = undefined;
    }
  }

  async recover(key: InstanceKey, signal: AbortSignal): Promise<Run | RunEnded | NothingFound | Orphan> {
    const slot = this.#slot(key);
    if (slot.last !== undefined && slot.last.ended === undefined) return slot.last;
    for (const { folder, record } of readRuns(slot.folder, this.#bootId)) {
      const { generation, logFiles } = record;
      if (generation !== undefined && logFiles !== undefined) this.#output.drain(folder.path, generation, logFiles);
    }
    const survey = await this.#survey(slot, signal);
    switch (survey.kind) {
      case 'alive':
        slot.last = this.#adopt(slot, survey.run);
        return slot.last;
      case 'ended': {
        const { generation, specHash } = survey.run;
        await stopLeftovers(this.#table, everythingOf(slot, [survey.run.folder.tree]), signal);
        return { kind: 'run-ended', generation, specHash, exit: survey.exit };
      }
      case 'orphan':
        return survey;
      case 'nothing':
        return { kind: 'nothing-found' };
    }
  }

  async prepare(spec: RunSpec): Promise<void> {
    const slot = this.#slot(spec);
    if (slot.starting !== undefined || this.#closing.signal.aborted || findObstacle(spec) !== undefined) return;
    if (slot.warm !== undefined && isSameSpec(slot.warm.spec, spec)) return;
    const previous = slot.warm;
    slot.warm = this.#spawnOrNothing(slot, spec);
    await previous?.discard();
    await slot.warm?.ready;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the agent is closing'));
    const slots = [...this.#slots.values()];
    await Promise.allSettled(slots.map(async ({ starting }) => starting));
    await Promise.all(
      slots.map(async ({ last, warm, sweep }) => {
        last?.release();
        await warm?.discard();
        sweep?.abort.abort();
        await sweep?.done;
      }),
    );
    for (const slot of slots) slot.warm = undefined;
  }

  /** A shim that dies before its go has started nothing. That is no failure of the service: another one is tried at once. */
  async #start(slot: Slot, spec: RunSpec, signal: AbortSignal): Promise<Run | StartFailed> {
    let attempt = await this.#startUnderShim(slot, spec, signal);
    if (attempt.kind === 'unborn') attempt = await this.#startUnderShim(slot, spec, signal);
    if (attempt.kind === 'unborn') return failed(`cannot start ${describeInstance(spec)}: ${attempt.reason}`);
    return attempt;
  }

  async #startUnderShim(slot: Slot, spec: RunSpec, signal: AbortSignal): Promise<Run | StartFailed | Unborn> {
    signal.throwIfAborted();
    const isSwept = slot.sweep === undefined;
    slot.sweep?.abort.abort();
    await slot.sweep?.done;
    const warm = slot.warm;
    slot.warm = undefined;
    const isFit = warm !== undefined && isSameSpec(warm.spec, spec);
    if (!isFit) await warm?.discard();
    const shim = isFit ? warm : this.#spawn(slot, spec);
    let hasGo = false;
    try {
      const isHot = isFit && isSwept && slot.last !== undefined && isHotRestart(slot.last);
      // Only a hot restart may go before every process was looked at: then it is done right behind.
      const obstacle = isHot ? undefined : await this.#clear(slot, shim, signal);
      if (obstacle !== undefined) return obstacle;
      const readiness = await abortable(shim.ready, signal);
      if (!readiness.isReady) return { kind: 'unborn', reason: readiness.reason };
      if (!shim.isWaiting()) return { kind: 'unborn', reason: KILLED };
      const previous = slot.last;
      slot.last = this.#go(slot, shim, readiness);
      hasGo = true;
      slot.sweep = this.#sweepLater(slot, slot.last, isHot ? previous : undefined);
      return slot.last;
    } finally {
      if (!hasGo) await shim.discard();
    }
  }

  #go(slot: Slot, shim: Shim, { main, shim: parent }: Ready): ProcessRun {
    const { generation, specHash, port } = shim.spec;
    const { startedAtMs, watch } = shim.go();
    return new ProcessRun({
      key: slot.key,
      generation,
      specHash,
      startedAtMs,
      main,
      shim: parent,
      folder: shim.folder,
      port,
      watch,
      table: this.#table,
    });
  }

  #adopt(slot: Slot, run: StartedRun): ProcessRun {
    const watch = new RunRecordWatch(run.folder.journal, () => {});
    return new ProcessRun({ ...run, key: slot.key, watch, table: this.#table });
  }

  /** Makes sure that nothing of the instance is alive; `undefined` when so. */
  async #clear(slot: Slot, shim: Shim, signal: AbortSignal): Promise<StartFailed | undefined> {
    const { last } = slot;
    if (last !== undefined && last.ended === undefined) return refuse(slot.key, last.generation, last.pid);
    const trees: string[] = last === undefined ? [] : [last.tree];
    if (last === undefined) {
      const survey = await this.#survey(slot, signal, shim);
      if (survey.kind === 'alive') return refuse(slot.key, survey.run.generation, survey.run.main.pid);
      if (survey.kind === 'orphan') return { kind: 'start-failed', isRetryable: false, reason: survey.reason };
      if (survey.kind === 'nothing') return undefined;
      trees.push(survey.run.folder.tree);
    }
    const remaining = await stopLeftovers(this.#table, everythingOf(slot, trees, last?.session), signal);
    if (remaining.length === 0) return undefined;
    const pids = remaining.map(({ pid }) => pid).join(', ');
    return failed(`cannot start ${describeInstance(slot.key)}: processes ${pids} of its last run can't be ended`);
  }

  /** `unchecked`: the run before, if nobody looked for what it left. */
  #sweepLater(slot: Slot, current: ProcessRun, unchecked: ProcessRun | undefined): Sweep {
    const abort = new AbortController();
    // An aborted sweep is no loss: the start that aborts it looks at everything itself, and so does the next agent.
    const done = this.#sweep(slot, current, unchecked, abort.signal)
      .catch(() => {})
      .finally(() => {
        slot.sweep = undefined;
      });
    return { abort, done };
  }

  /** Ends what a hot restart did not wait for, and forgets the runs before this one. */
  async #sweep(slot: Slot, current: ProcessRun, unchecked: ProcessRun | undefined, signal: AbortSignal): Promise<void> {
    await delay(SWEEP_DELAY_MS, undefined, { signal, ref: false });
    if (unchecked !== undefined) {
      const query: TreeQuery = {
        ...everythingOf(slot, [unchecked.tree], unchecked.session),
        isGeneration: (generation) => generation !== current.generation,
      };
      await stopLeftovers(this.#table, query, signal);
    }
    for (const folder of otherRuns(slot.folder, [current.folderPath, slot.warm?.folder.path])) {
      await abortable(this.#output.drained(folder), signal);
      removeRun(folder);
    }
  }

  #survey(slot: Slot, signal: AbortSignal, shim?: Shim): Promise<Survey> {
    const own = [slot.warm, shim].flatMap((owned) => (owned === undefined ? [] : [owned.folder.path]));
    return surveyInstance(
      slot.key,
      slot.folder,
      { bootId: this.#bootId, ignore: new Set(own), firstLook: this.#firstLook },
      signal,
    );
  }

  #spawn(slot: Slot, spec: RunSpec): Shim {
    const shim = this.#spawner.spawn(spec, createRunFolder(slot.folder, spec, this.#bootId));
    // Before the go, and of a prepared one long before.
    void shim.ready.then(({ isReady }) => {
      if (isReady) this.#output.drain(shim.folder.path, spec.generation, spec.logFiles);
    });
    return shim;
  }

  #spawnOrNothing(slot: Slot, spec: RunSpec): Shim | undefined {
    try {
      return this.#spawn(slot, spec);
    } catch {
      // The start that follows meets the same trouble, and reports it.
      return undefined;
    }
  }

  #slot({ agentId, service, instance }: InstanceKey): Slot {
    const key = { agentId, service, instance };
    const folder = instanceFolderOf(this.#runtimeFolder, key);
    let slot = this.#slots.get(folder);
    if (slot === undefined) {
      slot = { key, folder, warm: undefined, last: undefined, starting: undefined, sweep: undefined };
      this.#slots.set(folder, slot);
    }
    return slot;
  }
}

/**
 * May the next run start before every process was looked at? After a crash, moments ago, of a run that kept its
 * processes together. Not after exit code 0: so ends a program that put itself into the background.
 */
function isHotRestart(last: ProcessRun): boolean {
  if (last.ended === undefined || last.hasStrays) return false;
  const { exit, atMs } = last.ended;
  const hasCrashed = exit.kind === 'signal' || (exit.kind === 'code' && exit.code !== 0);
  return hasCrashed && performance.now() - atMs < HOT_RESTART_MS && last.isCheaplyGone();
}

/** All processes of an instance, of whatever generation: for when none may be alive. */
function everythingOf(slot: Slot, trees: readonly string[], session?: Session): TreeQuery {
  return { key: slot.key, isGeneration: () => true, trees, ...(session === undefined ? {} : { session }) };
}

/** The order of keys counts as a difference: then the start is only slower. */
function isSameSpec(a: RunSpec, b: RunSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function failed(reason: string): StartFailed {
  return { kind: 'start-failed', isRetryable: true, reason };
}

function refuse(key: InstanceKey, generation: number, pid: number): StartFailed {
  const reason = `cannot start ${describeInstance(key)}: its generation ${generation} is alive as process ${pid}; stop it first`;
  return { kind: 'start-failed', isRetryable: false, reason };
}
