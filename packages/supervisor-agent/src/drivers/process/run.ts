import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from '../../core/exit.ts';
import { isPortTaken } from '../../host/listeners.ts';
import { describeInstance, type InstanceKey, type Run, TreeRemains } from '../driver.ts';
import { isAlive, nowTicks, type ProcessIdentity, sendSignal, signalProcess } from './proc.ts';
import type { ProcessTable } from './process-table.ts';
import { type RunFolder, readRunRecord } from './run-folder.ts';
import { exitOf } from './run-record.ts';
import type { RunRecordWatch } from './run-record-watch.ts';
import { isSameInstance } from './tag.ts';
import { findMembers, hasGroup, isTreeHeld, killMembers, type Session, type TreeQuery } from './tree.ts';

/** Between two looks at a tree that is going away. */
const GONE_POLL_MS = 20;
/** How long a living shim may take to write down an exit that has been seen, before that exit counts as unknown. */
const SHIM_PATIENCE_MS = 5_000;

/** What a run is made of, whether it was started by this agent or adopted. */
export interface RunParts {
  readonly key: InstanceKey;
  readonly generation: number;
  readonly specHash: string;
  readonly startedAtMs: number;
  readonly main: ProcessIdentity;
  readonly shim: ProcessIdentity | undefined;
  readonly folder: RunFolder;
  readonly port: number | undefined;
  readonly watch: RunRecordWatch;
  readonly table: ProcessTable;
}

/**
 * A run of the process driver. Its exit is read from the record, which the shim writes: the same way for a child and
 * for an adopted run. The main process itself is looked at once a second, for the case that the shim was killed.
 */
export class ProcessRun implements Run {
  readonly kind = 'run';
  readonly generation: number;
  readonly pid: number;
  readonly startTimeTicks: number;
  readonly specHash: string;
  readonly startedAtMs: number;
  readonly exited: Promise<Exit>;
  readonly #parts: RunParts;
  #settle: (exit: Exit) => void = () => {};
  #ended: { readonly exit: Exit; readonly atMs: number; readonly atTicks: number } | undefined;
  #deathSeenAtMs: number | undefined;
  #hasStrays = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.generation = parts.generation;
    this.pid = parts.main.pid;
    this.startTimeTicks = parts.main.startTimeTicks;
    this.specHash = parts.specHash;
    this.startedAtMs = parts.startedAtMs;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
    parts.watch.handTo((hasGrown) => this.#look(hasGrown));
    // Whoever made it has just seen it alive.
    this.#look(true);
  }

  /** The exit, once it has been seen, and when (milliseconds of `performance.now`). */
  get ended(): { readonly exit: Exit; readonly atMs: number } | undefined {
    return this.#ended;
  }

  /**
   * A look that costs four system calls: true if nothing of the ended run shows. It can't see a process that left the
   * group *and* closed all descriptors; `hasStrays` tells whether one was ever seen while the run was alive.
   */
  isCheaplyGone(): boolean {
    return !hasGroup(this.pid) && !isTreeHeld(this.#parts.folder.tree);
  }

  /** True if a member of the tree was once seen outside the main process's group. */
  get hasStrays(): boolean {
    return this.#hasStrays;
  }

  get folderPath(): string {
    return this.#parts.folder.path;
  }

  get tree(): string {
    return this.#parts.folder.tree;
  }

  /** The session, as far as its number still means this run. */
  get session(): Session {
    return { id: this.pid, bornUntilTicks: this.#ended?.atTicks ?? Number.POSITIVE_INFINITY };
  }

  async signalTree(signal: NodeJS.Signals): Promise<void> {
    // While the main process lives, its pid can't mean another group.
    const isGroupOurs = isAlive(this.#parts.main);
    if (isGroupOurs) sendSignal(-this.pid, signal);
    for (const member of await findMembers(this.#parts.table, this.#query())) {
      if (!isGroupOurs || member.groupId !== this.pid) signalProcess(member, signal);
    }
  }

  async killTree(): Promise<void> {
    if (isAlive(this.#parts.main)) sendSignal(-this.pid, 'SIGKILL');
    await killMembers(this.#parts.table, this.#query());
  }

  async treeGone(signal: AbortSignal): Promise<void> {
    for (;;) {
      const remains = await this.#describeRemains();
      if (remains === undefined) return;
      if (signal.aborted) throw new TreeRemains(remains, { cause: signal.reason });
      await delay(GONE_POLL_MS);
    }
  }

  pids(): readonly number[] {
    const members = this.#parts.table
      .recent()
      .filter(
        ({ sessionId, tag }) =>
          (this.#ended === undefined && sessionId === this.pid) ||
          (tag !== undefined && tag.generation === this.generation && isSameInstance(tag, this.#parts.key)),
      );
    if (members.some(({ groupId }) => groupId !== this.pid)) this.#hasStrays = true;
    return members.map(({ pid }) => pid);
  }

  /** Stops looking. The service goes on. */
  release(): void {
    this.#parts.watch[Symbol.dispose]();
  }

  #look(hasGrown: boolean): void {
    if (this.#ended !== undefined) return;
    const status = readRunRecord(this.#parts.folder).exitStatus;
    if (status !== undefined) return this.#end(exitOf(status));
    if (hasGrown) return;
    const isShimAlive = this.#parts.shim !== undefined && isAlive(this.#parts.shim);
    if (isAlive(this.#parts.main)) {
      if (!isShimAlive) this.#parts.watch.pollFast();
      return;
    }
    this.#deathSeenAtMs ??= performance.now();
    if (isShimAlive && performance.now() - this.#deathSeenAtMs < SHIM_PATIENCE_MS) return;
    // The shim may have written its last record between the two looks.
    const lateStatus = readRunRecord(this.#parts.folder).exitStatus;
    this.#end(lateStatus === undefined ? { kind: 'unknown' } : exitOf(lateStatus));
  }

  #end(exit: Exit): void {
    this.#ended = { exit, atMs: performance.now(), atTicks: nowTicks() };
    this.release();
    this.#settle(exit);
  }

  async #describeRemains(): Promise<string | undefined> {
    const { key, port, main } = this.#parts;
    const what = describeInstance(key);
    if (isAlive(main)) return `${what} is not stopped: its main process ${this.pid} is alive`;
    // So that a start may follow: it asks for the exit first.
    if (this.#ended === undefined) return `${what} is not stopped: the exit of process ${this.pid} is not written down`;
    const members = (await findMembers(this.#parts.table, this.#query())).map(({ pid }) => pid);
    if (members.length > 0) return `${what} is not stopped: processes ${members.join(', ')} of its tree are alive`;
    if (isTreeHeld(this.tree)) return `${what} is not stopped: a process holds its file ${this.tree} open`;
    if (port !== undefined && isPortTaken(port)) return `${what} is not stopped: port ${port} is still taken`;
    return undefined;
  }

  #query(): TreeQuery {
    return {
      key: this.#parts.key,
      isGeneration: (generation) => generation === this.generation,
      session: this.session,
      trees: [this.tree],
    };
  }
}
