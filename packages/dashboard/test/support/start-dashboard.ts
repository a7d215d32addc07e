import type { Owners } from '../../server/caller/caller.ts';
import { Dashboard, type DashboardOptions } from '../../server/dashboard.ts';
import type { CommandOutcome } from '../../server/source/fleet-source.ts';
import { readUsers } from '../../server/users.ts';
import { ScriptedSource } from './scripted-source.ts';

/** The account that runs the test, and nobody else. */
export function ownOwners(): Owners {
  return { uids: [process.getuid?.() ?? -1], users: readUsers() };
}

/** A dashboard that really listens, on a port of its own, fed by a script. */
export async function startDashboard(options: Partial<DashboardOptions> = {}, wantedPort = 0) {
  const source = new ScriptedSource();
  const audited: { verb: string; outcome: CommandOutcome; actor: string }[] = [];
  const dashboard = await Dashboard.start({
    source,
    environment: 'test',
    id: 'main',
    version: '0.0.0',
    epoch: 7,
    now: () => performance.now(),
    audit: (verb, _target, outcome, actor) => audited.push({ verb, outcome, actor }),
    owners: ownOwners(),
    ...options,
  });
  const port = await dashboard.listen('127.0.0.1', wantedPort);
  return {
    source,
    audited,
    dashboard,
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => dashboard[Symbol.asyncDispose](),
  };
}
