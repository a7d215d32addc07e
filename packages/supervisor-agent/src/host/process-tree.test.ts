import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProcessUsage } from './parse-proc.ts';
import { groupByOwner } from './process-tree.ts';

function usage(pid: number, parentPid: number, sessionId = 1): ProcessUsage {
  const times = { startTimeTicks: pid, isZombie: false, threads: 1, ownTicks: 0, endedChildrenTicks: 0, rssPages: 0 };
  return { pid, parentPid, sessionId, ...times };
}

const nobody = (): undefined => undefined;

function pidsOf(groups: Map<string, ProcessUsage[]>): Record<string, number[]> {
  return Object.fromEntries([...groups].map(([owner, members]) => [owner, members.map(({ pid }) => pid)]));
}

test('children, their children, and who shares the session belong to the owner', () => {
  const processes = [
    usage(1, 0),
    usage(13, 12, 77), // a grandchild in a session of its own
    usage(10, 1, 10),
    usage(11, 10, 10),
    usage(12, 10, 10),
    usage(14, 1, 10), // its parent has ended
    usage(20, 1, 20),
    usage(21, 10, 21), // a service that another one started
    usage(30, 1, 30),
  ];
  const owners = new Map([
    [10, 'api'],
    [20, 'db'],
    [21, 'worker'],
  ]);
  expect(pidsOf(groupByOwner(processes, owners, nobody))).toEqual({
    api: [13, 10, 11, 12, 14],
    db: [20],
    worker: [21],
  });
});

test('who left session and parents is known from before', () => {
  const processes = [usage(10, 1, 10), usage(15, 1, 15), usage(16, 15, 15)];
  const before = ({ pid }: ProcessUsage) => (pid === 15 ? 'api' : undefined);
  expect(pidsOf(groupByOwner(processes, new Map([[10, 'api']]), before))).toEqual({ api: [10, 15, 16] });
});

test('any table of processes ends, each process has at most one owner, and each listed one its own', () => {
  const pid = fc.integer({ min: 1, max: 12 });
  const table = fc.uniqueArray(fc.tuple(pid, pid, pid), { selector: ([own]) => own });
  fc.assert(
    fc.property(table, fc.uniqueArray(pid, { maxLength: 4 }), (rows, roots) => {
      const processes = rows.map(([own, parent, session]) => usage(own, parent, session));
      const groups = groupByOwner(processes, new Map(roots.map((root) => [root, root])), nobody);
      const owned = [...groups].flatMap(([owner, members]) => members.map((member) => ({ owner, pid: member.pid })));
      expect(new Set(owned.map((one) => one.pid)).size).toBe(owned.length);
      const present = roots.filter((root) => processes.some((process) => process.pid === root));
      expect(owned).toEqual(expect.arrayContaining(present.map((root) => ({ owner: root, pid: root }))));
    }),
  );
});
