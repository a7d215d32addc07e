import { closeSync, constants, openSync, readSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceKey } from '../driver.ts';
import { hasOpen, isCode, type ProcessIdentity, type ProcessStat, sendSignal, signalProcess } from './proc.ts';
import type { ProcessTable } from './process-table.ts';
import { isSameInstance, type RunTag } from './tag.ts';

/*
 * Which processes belong to a run? A grandchild may leave the session, close all descriptors or clear its environment;
 * it is found as long as it has not done all three. So a member is whoever
 *   - carries the run's tag in its environment,
 *   - or holds the run's tree FIFO open,
 *   - or is in the main process's session, while that number can't mean another session yet.
 */

/** Which processes are meant. */
export interface TreeQuery {
  readonly key: InstanceKey;
  readonly isGeneration: (generation: number) => boolean;
  readonly session?: Session;
  /** Tree FIFOs of the runs meant. */
  readonly trees: readonly string[];
}

/** The session that the main process led. */
export interface Session {
  readonly id: number;
  /**
   * A kernel may give the number to another process once the session is empty: members that are younger than the main
   * process's death don't count. Infinity while it lives.
   */
  readonly bornUntilTicks: number;
}

/** Between two looks at a tree that is going away. */
const POLL_MS = 20;
/** For what a dead run left: it had its chance to stop in order, as part of the run. */
const LEFTOVER_GRACE_MS = 500;
/** Killed processes vanish within milliseconds, unless they hang in the kernel. */
const KILL_PATIENCE_MS = 5_000;
/** How often a tree is killed again that goes on forking. */
const KILL_ROUNDS = 20;

/** True if any process has the FIFO open. One open and one read; false when the FIFO is not there. */
export function isTreeHeld(tree: string): boolean {
  let fd: number;
  try {
    fd = openSync(tree, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    // No writer: end of file. A writer, even one that never writes: EAGAIN.
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (error) {
    return isCode(error, 'EAGAIN');
  } finally {
    closeSync(fd);
  }
}

/** A cheap look: true also for a group whose last members are zombies. */
export function hasGroup(groupId: number): boolean {
  return sendSignal(-groupId, 0);
}

/** All live members, by a fresh look at every process. */
export async function findMembers(table: ProcessTable, query: TreeQuery): Promise<ProcessStat[]> {
  const rows = await table.fresh();
  // /proc shows real paths, and a runtime folder may be reached through a link.
  const heldTrees = query.trees.filter(isTreeHeld).map((tree) => realpathSync(tree));
  return rows.filter(
    (row) =>
      isInSession(row, query.session) ||
      (row.tag !== undefined && isMeant(row.tag, query)) ||
      heldTrees.some((tree) => hasOpen(row.pid, tree)),
  );
}

/** SIGKILL until nothing is left that could fork. */
export async function killMembers(table: ProcessTable, query: TreeQuery): Promise<void> {
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    const members = await findMembers(table, query);
    if (members.length === 0) return;
    for (const member of members) signalProcess(member, 'SIGKILL');
    await delay(POLL_MS);
  }
}

/**
 * Ends what dead runs left behind: SIGTERM, a moment, SIGKILL. Returns the members that even that did not end, which is
 * an empty list unless they hang in the kernel or belong to somebody else.
 */
export async function stopLeftovers(
  table: ProcessTable,
  query: TreeQuery,
  signal: AbortSignal,
): Promise<readonly ProcessIdentity[]> {
  let members = await findMembers(table, query);
  if (members.length === 0) return members;
  for (const member of members) signalProcess(member, 'SIGTERM');
  const startedAt = performance.now();
  while (members.length > 0 && performance.now() - startedAt < LEFTOVER_GRACE_MS + KILL_PATIENCE_MS) {
    await delay(POLL_MS);
    signal.throwIfAborted();
    members = await findMembers(table, query);
    if (performance.now() - startedAt < LEFTOVER_GRACE_MS) continue;
    for (const member of members) signalProcess(member, 'SIGKILL');
  }
  return members;
}

function isInSession(candidate: ProcessStat, session: Session | undefined): boolean {
  return (
    session !== undefined && candidate.sessionId === session.id && candidate.startTimeTicks <= session.bornUntilTicks
  );
}

function isMeant(tag: RunTag, { key, isGeneration }: TreeQuery): boolean {
  return isSameInstance(tag, key) && isGeneration(tag.generation);
}
