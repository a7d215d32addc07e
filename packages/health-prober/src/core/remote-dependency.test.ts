import type { InstanceStatus, ServiceSpecEntry } from '@muster/contracts';
import { expect, test } from 'vitest';
import { judgeDependency, MAX_TOLD_PER_HOST, remoteDependenciesOf } from './remote-dependency.ts';

const instance = (state: InstanceStatus['state'], ready: InstanceStatus['ready'] = 'no') =>
  ({ state, ready }) as InstanceStatus;

test.each([
  ['ready', [instance('running', 'yes')], false, 0, true, 'it is ready'],
  ['ready', [instance('running')], false, 0, false, 'waits for it to be ready: it is running, and no more'],
  ['ready', [instance('failed'), instance('running', 'yes')], false, 0, true, 'it is ready'],
  ['ready', [instance('completed')], true, 0, true, 'it is ready'],
  ['started', [instance('running')], false, 0, true, 'it is started'],
  ['started', [instance('backoff')], false, 0, false, 'waits for it to be started: it is backoff'],
  [
    'completed',
    [instance('completed'), instance('running')],
    true,
    0,
    false,
    'waits for it to be completed: it is running, and no more',
  ],
  ['completed', [instance('completed')], true, 0, true, 'it is completed'],
  ['ready', [], false, 0, false, 'host db1 has no service postgres'],
  ['ready', [instance('running', 'yes')], false, 7_600, false, 'host db1 is not heard for more than 5 s'],
  ['ready', [instance('running', 'yes')], false, 13_000, false, 'host db1 is not heard for more than 12 s'],
  ['ready', [], false, 90_000, false, 'host db1 is not heard for more than 1 min'],
] as const)('%s of %j (job: %s), silent for %d ms', (condition, instances, isJob, silentMs, isMet, reason) => {
  const dependency = { host: 'web1', target: 'db1/postgres', condition } as const;
  expect(judgeDependency(dependency, instances, isJob, silentMs)).toEqual({ isMet, reason });
});

test('only services of other hosts are asked about, each once for each host that waits', () => {
  const spec = (host: string, ...targets: string[]) =>
    ({ host, dependencies: targets.map((target) => ({ target, condition: 'ready' })) }) as unknown as ServiceSpecEntry;
  const found = remoteDependenciesOf([spec('web1', 'db1/pg', 'cache'), spec('web1', 'db1/pg'), spec('web2', 'db1/pg')]);
  expect([...found.values()]).toEqual([
    { host: 'web1', target: 'db1/pg', condition: 'ready' },
    { host: 'web2', target: 'db1/pg', condition: 'ready' },
  ]);
});

test('a host that waits for more than it can be told of takes nobody else the place', () => {
  const dependencies = Array.from({ length: 2 * MAX_TOLD_PER_HOST }, (_, i) => ({
    target: `db1/s${i}`,
    condition: 'ready' as const,
  }));
  const spec = { host: 'web1', dependencies } as unknown as ServiceSpecEntry;
  const other = { host: 'web2', dependencies: dependencies.slice(0, 1) } as unknown as ServiceSpecEntry;
  const found = [...remoteDependenciesOf([spec, spec, other]).values()];
  expect(found.filter(({ host }) => host === 'web1')).toHaveLength(MAX_TOLD_PER_HOST);
  expect(found.filter(({ host }) => host === 'web2')).toHaveLength(1);
});
