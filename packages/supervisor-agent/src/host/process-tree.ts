import type { ProcessUsage } from './parse-proc.ts';

/**
 * Which of `processes` belong to which owner: those in `owners` themselves, who shares a session with one, who descends from
 * one; and, with `ownerBefore`, who belonged to one when it was last seen and has left its parents since.
 */
export function groupByOwner<Owner>(
  processes: readonly ProcessUsage[],
  owners: ReadonlyMap<number, Owner>,
  ownerBefore: (process: ProcessUsage) => Owner | undefined,
): Map<Owner, ProcessUsage[]> {
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const known = new Map<number, Owner | undefined>();

  const ownerOf = (process: ProcessUsage): Owner | undefined => {
    // The list is no snapshot: with reused pids it may even hold a loop, which `known` cuts.
    const path: ProcessUsage[] = [];
    let owner: Owner | undefined;
    for (let at: ProcessUsage | undefined = process; at !== undefined; at = byPid.get(at.parentPid)) {
      if (known.has(at.pid)) {
        owner = known.get(at.pid);
        break;
      }
      known.set(at.pid, undefined);
      path.push(at);
      owner = owners.get(at.pid) ?? owners.get(at.sessionId) ?? ownerBefore(at);
      if (owner !== undefined) break;
    }
    for (const { pid } of path) known.set(pid, owner);
    return owner;
  };

  const groups = new Map<Owner, ProcessUsage[]>();
  for (const process of processes) {
    const owner = ownerOf(process);
    if (owner === undefined) continue;
    const group = groups.get(owner);
    if (group === undefined) groups.set(owner, [process]);
    else group.push(process);
  }
  return groups;
}
