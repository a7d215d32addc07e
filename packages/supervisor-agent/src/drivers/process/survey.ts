import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from '../../core/exit.ts';
import { describeInstance, type InstanceKey } from '../driver.ts';
import type { FirstLook } from './first-look.ts';
import { isAlive, type ProcessIdentity, signalProcess } from './proc.ts';
import { type RecordedRun, type RunFolder, readRunRecord, readRuns } from './run-folder.ts';
import { exitOf, type RunRecord } from './run-record.ts';

/** A record of a run that got its go: nothing of it is missing. */
export interface StartedRun {
  readonly folder: RunFolder;
  readonly generation: number;
  readonly specHash: string;
  readonly main: ProcessIdentity;
  readonly shim: ProcessIdentity | undefined;
  readonly startedAtMs: number;
  readonly port: number | undefined;
}

/** What the records and the processes of this host say about an instance. */
export type Survey =
  | { readonly kind: 'alive'; readonly run: StartedRun }
  | { readonly kind: 'ended'; readonly run: StartedRun; readonly exit: Exit }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'orphan'; readonly reason: string; readonly pids: readonly number[] };

const POLL_MS = 10;
/** What the last agent's death left half done settles within milliseconds, unless the host is overloaded. */
const SETTLE_PATIENCE_MS = 10_000;

/**
 * Finds out what became of an instance that nobody watched. Rejects only when `signal` aborts. Ends a starter that an
 * earlier agent neither gave its go nor abandoned.
 */
export async function surveyInstance(
  key: InstanceKey,
  instanceFolder: string,
  world: { readonly bootId: string; readonly ignore: ReadonlySet<string>; readonly firstLook: FirstLook },
  signal: AbortSignal,
): Promise<Survey> {
  const recorded = readRuns(instanceFolder, world.bootId).filter(({ folder }) => !world.ignore.has(folder.path));
  const settled = await Promise.all(recorded.map((run) => settle(run, signal)));
  const started = settled.flatMap(toStartedRun).sort((a, b) => b.startedAtMs - a.startedAtMs);
  const alive = started.filter(({ main }) => isAlive(main));
  const [first] = alive;
  if (alive.length > 1) {
    const pids = alive.map(({ main }) => main.pid);
    return { kind: 'orphan', pids, reason: `${describeInstance(key)} has several live runs: stop all but one` };
  }
  if (first !== undefined) return { kind: 'alive', run: first };
  const [last] = started;
  const isUnexplained = (generation: number) => last === undefined || generation > last.generation;
  const unexplained = (await world.firstLook.find(key)).filter(({ generation }) => isUnexplained(generation));
  if (unexplained.length > 0) {
    const pids = unexplained.map(({ pid }) => pid);
    const what = `${describeInstance(key)} has live processes (${pids.join(', ')}) but no record of their start`;
    const reason = `${what}: end them (kill ${pids.join(' ')}), and it goes on as wanted`;
    return { kind: 'orphan', pids, reason };
  }
  if (last === undefined) return { kind: 'nothing' };
  // It may have been alive when its own record was settled, and have ended while the others were waited for.
  const { record } = await settle({ folder: last.folder, record: readRunRecord(last.folder) }, signal);
  return { kind: 'ended', run: last, exit: exitIn(record) };
}

/**
 * The last agent may have died between two steps, and shim and starter take a moment to notice: the starter becomes
 * the service (it had read its go) or exits, and the shim writes down an exit.
 */
async function settle({ folder, record: first }: RecordedRun, signal: AbortSignal): Promise<RecordedRun> {
  let record = first;
  const startedAt = performance.now();
  while (isMoving(record)) {
    if (performance.now() - startedAt > SETTLE_PATIENCE_MS) {
      // A starter that hangs before its go (stopped, or frozen) must never wake up later and start a second copy.
      if (record.startedAtMs === undefined && record.main) signalProcess(record.main, 'SIGKILL');
      break;
    }
    await delay(POLL_MS);
    signal.throwIfAborted();
    record = readRunRecord(folder);
  }
  return { folder, record: readRunRecord(folder) };
}

function isMoving({ shim, main, startedAtMs, exitStatus }: RunRecord): boolean {
  if (exitStatus !== undefined) return false;
  const isShimAlive = shim !== undefined && isAlive(shim);
  const isMainAlive = main !== undefined && isAlive(main);
  return startedAtMs === undefined ? isShimAlive || isMainAlive : isShimAlive && !isMainAlive;
}

function toStartedRun({ folder, record }: RecordedRun): StartedRun[] {
  const { generation, specHash, port, main, shim, startedAtMs } = record;
  if (generation === undefined || specHash === undefined || main === undefined || startedAtMs === undefined) return [];
  return [{ folder, generation, specHash, port, main, shim, startedAtMs }];
}

function exitIn({ exitStatus }: RunRecord): Exit {
  return exitStatus === undefined ? { kind: 'unknown' } : exitOf(exitStatus);
}
