import { Dashboard, type DashboardOptions } from '../../server/dashboard.ts';
import type { CommandOutcome } from '../../server/source/fleet-source.ts';
import { ScriptedSource } from './scripted-source.ts';

/** A dashboard that really listens, on a port of its own, fed by a script. */
export async function startDashboard(options: Partial<DashboardOptions> = {}) {
  const source = new ScriptedSource();
  const audited: { verb: string; outcome: CommandOutcome }[] = [];
  const dashboard = await Dashboard.start({
    source,
    environment: 'test',
    id: 'main',
    version: '0.0.0',
    epoch: 7,
    now: () => performance.now(),
    audit: (verb, _target, outcome) => audited.push({ verb, outcome }),
    ...options,
  });
  const port = await dashboard.listen('127.0.0.1', 0);
  return {
    source,
    audited,
    dashboard,
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => dashboard[Symbol.asyncDispose](),
  };
}
