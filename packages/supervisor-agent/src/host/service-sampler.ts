import { readFileSync } from 'node:fs';
import type { ServiceSample } from '@muster/contracts';
import {
  type ProcessUsage,
  parseIo,
  parsePageSize,
  parseProcess,
  parseUptime,
  TICKS_PER_SECOND,
} from './parse-proc.ts';
import { ProcReader } from './proc-reader.ts';
import { groupByOwner } from './process-tree.ts';

/*
 * What the process trees of all instances use, from one look at /proc per tick.
 *
 * A tree's CPU time is the sum over its living members of their own time and that of their ended children. When a member ends
 * and is waited for, its time moves to its parent, so the sum goes on growing and also counts what lived shorter than a tick.
 * When a member ends and nobody of the tree waits for it, its time is lost and the sum falls; then the growth of the survivors
 * is the better answer. Both never claim too much, so the larger one counts.
 *
 * Processes of nobody are looked at only each RECHECK_TICKS ticks: on a host with thousands of them the look would cost
 * more than everything else.
 */

/** A running instance, by at least its main process; the rest of the tree is found. */
export interface SampledInstance {
  readonly service: string;
  readonly instance: number;
  readonly pids: readonly number[];
}

export interface ServiceSamplerOptions {
  readonly reader?: ProcReader;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

/** How long a pid may be taken for a stranger's while it has become one of ours. */
const RECHECK_TICKS = 6;

/** What one tree had used up at one moment. */
interface Tree {
  readonly atMs: number;
  readonly totalTicks: number;
  /** Absent when a member's file may not be read. */
  readonly io?: { readonly readBytes: number; readonly writtenBytes: number };
  readonly members: ReadonlyMap<number, ProcessUsage>;
}

/** Remembers each tree between two samples, since rates need both. */
export class ServiceSampler {
  readonly #reader: ProcReader;
  readonly #nowMs: () => number;
  readonly #pageBytes: number;
  #trees = new Map<string, Tree>();
  /** Owner of each process that was in a tree at the last tick. */
  #ownerBefore = new Map<number, { key: string; startTimeTicks: number }>();
  /** Pids that belonged to no tree at the last tick. */
  #strangers = new Set<number>();
  #rootsBefore = '';
  #tick = 0;

  constructor({ reader = new ProcReader(), nowMs = () => performance.now() }: ServiceSamplerOptions = {}) {
    this.#reader = reader;
    this.#nowMs = nowMs;
    this.#pageBytes = readPageSize();
  }

  /**
   * One sample for each instance that has a live process. The first one of a tree shows its average since its start.
   * `allPids` are all processes of the host.
   */
  sample(instances: readonly SampledInstance[], allPids: readonly number[] = this.#reader.pids()): ServiceSample[] {
    this.#tick += 1;
    const owners = new Map(instances.flatMap(({ pids, ...instance }) => pids.map((pid) => [pid, keyOf(instance)])));
    const groups = groupByOwner(this.#look(owners, allPids), owners, ({ pid, startTimeTicks }) => {
      const before = this.#ownerBefore.get(pid);
      return before?.startTimeTicks === startTimeTicks ? before.key : undefined;
    });
    const uptimeSeconds = parseUptime(this.#reader.readKept('uptime') ?? '') ?? 0;

    const trees = new Map<string, Tree>();
    const samples = instances.flatMap(({ service, instance, pids }): ServiceSample[] => {
      const key = keyOf({ service, instance });
      const members = groups.get(key);
      if (members === undefined) return [];
      const before = this.#trees.get(key);
      const tree = this.#measure(members, this.#nowMs());
      trees.set(key, tree);
      const alive = members.filter(({ isZombie }) => !isZombie);
      if (alive.length === 0) return [];
      const main = pids.map((pid) => tree.members.get(pid)).find((process) => process !== undefined) ?? alive[0];
      const mainUptimeSeconds = Math.max(0, uptimeSeconds - (main?.startTimeTicks ?? 0) / TICKS_PER_SECOND);
      return [
        {
          service,
          instance,
          ...ratesOf(tree, before, mainUptimeSeconds),
          rssBytes: sumOf(alive, ({ rssPages }) => rssPages) * this.#pageBytes,
          threads: sumOf(alive, ({ threads }) => threads),
          processes: alive.length,
          uptimeSeconds: mainUptimeSeconds,
        },
      ];
    });
    this.#remember(trees);
    return samples;
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }

  /** All processes that may belong to somebody. */
  #look(owners: ReadonlyMap<number, string>, pids: readonly number[]): ProcessUsage[] {
    const roots = [...owners.keys()].join();
    // With new roots a stranger may turn out to be a child of one.
    if (roots !== this.#rootsBefore) this.#strangers.clear();
    this.#rootsBefore = roots;
    const processes: ProcessUsage[] = [];
    for (const pid of pids) {
      if (this.#strangers.has(pid) && (pid + this.#tick) % RECHECK_TICKS !== 0) continue;
      const stat = this.#reader.read(`${pid}/stat`);
      const usage = stat === undefined ? undefined : parseProcess(stat);
      if (usage !== undefined) processes.push(usage);
    }
    // Those that turn out to be ours are taken out again in #remember.
    this.#strangers = new Set(pids);
    return processes;
  }

  #measure(members: readonly ProcessUsage[], atMs: number): Tree {
    const io = this.#readIo(members);
    return {
      atMs,
      totalTicks: sumOf(members, ({ ownTicks, endedChildrenTicks }) => ownTicks + endedChildrenTicks),
      ...(io !== undefined && { io }),
      members: new Map(members.map((member) => [member.pid, member])),
    };
  }

  #readIo(members: readonly ProcessUsage[]): Tree['io'] {
    let readBytes = 0;
    let writtenBytes = 0;
    for (const { pid, isZombie } of members) {
      if (isZombie) continue;
      const bytes = this.#reader.read(`${pid}/io`);
      const io = bytes === undefined ? undefined : parseIo(bytes);
      if (io === undefined) return undefined;
      readBytes += io.readBytes;
      writtenBytes += io.writtenBytes;
    }
    return { readBytes, writtenBytes };
  }

  #remember(trees: Map<string, Tree>): void {
    this.#trees = trees;
    this.#ownerBefore = new Map();
    for (const [key, { members }] of trees) {
      for (const { pid, startTimeTicks } of members.values()) {
        this.#ownerBefore.set(pid, { key, startTimeTicks });
        this.#strangers.delete(pid);
      }
    }
  }
}

type Rates = Pick<ServiceSample, 'cpuRatio' | 'readBytesPerSecond' | 'writeBytesPerSecond'>;

function ratesOf(tree: Tree, before: Tree | undefined, uptimeSeconds: number): Rates {
  const survivors = [...tree.members.values()].flatMap((now) => {
    const old = before?.members.get(now.pid);
    return old?.startTimeTicks === now.startTimeTicks ? [{ old, now }] : [];
  });
  // Not one process in common: another run, which has nothing to do with the old one's counters.
  const base = survivors.length > 0 ? before : undefined;
  const elapsedSeconds = base === undefined ? uptimeSeconds : (tree.atMs - base.atMs) / 1_000;
  if (elapsedSeconds <= 0) return { cpuRatio: 0, ...(tree.io && { readBytesPerSecond: 0, writeBytesPerSecond: 0 }) };

  const survivorTicks = sumOf(survivors, ({ old, now }) => now.ownTicks - old.ownTicks);
  const usedTicks = base === undefined ? tree.totalTicks : Math.max(tree.totalTicks - base.totalTicks, survivorTicks);
  const io = tree.io && {
    readBytesPerSecond: growth(base, (io) => io.readBytes, tree.io) / elapsedSeconds,
    writeBytesPerSecond: growth(base, (io) => io.writtenBytes, tree.io) / elapsedSeconds,
  };
  return { cpuRatio: Math.max(0, usedTicks) / TICKS_PER_SECOND / elapsedSeconds, ...io };
}

/** A tree that lost a member with its counters shows no growth for that tick. */
function growth(
  base: Tree | undefined,
  of: (io: NonNullable<Tree['io']>) => number,
  now: NonNullable<Tree['io']>,
): number {
  if (base === undefined) return of(now);
  return base.io === undefined ? 0 : Math.max(0, of(now) - of(base.io));
}

function keyOf({ service, instance }: { service: string; instance: number }): string {
  return `${service}/${instance}`;
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

function readPageSize(): number {
  return parsePageSize(readFileSync('/proc/self/auxv')) ?? 4_096;
}
