/** Root that cannot give the bus, the prober and the dashboard users of their own says so before it starts anything, and how to go on. */
import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type MusterSystem, type MusterSystemOptions, startFixture } from '@muster/testkit';
import { expect, test } from 'vitest';
import { prepareSystem } from './support.ts';

const through = (...prefix: readonly [string, ...string[]]): NonNullable<MusterSystemOptions['network']> => ({
  command: (...line) => [...prefix, ...line],
});

/** As an image that is not to be changed has it. */
const READ_ONLY_ETC = 'mount --bind /etc /etc && mount -o remount,bind,ro /etc && exec "$@"';

async function prepare(options: MusterSystemOptions, runAs: string): Promise<MusterSystem> {
  const system = await prepareSystem(options);
  await appendFile(path.join(system.configDir, 'agent.yaml'), `run_as: ${runAs}\n`);
  return system;
}

test.skipIf(process.getuid?.() !== 0).each([
  {
    what: 'no account, and none can be made',
    options: { network: through('unshare', '--mount', 'sh', '-c', READ_ONLY_ETC, 'sh') },
    runAs: '{ bus: muster-never-made }',
    told: /cannot make the system user 'muster-never-made': useradd: .*\. Make it \(useradd .*\), or name users/,
  },
  {
    what: 'no right to become somebody else',
    options: { network: through('setpriv', '--bounding-set=-setuid') },
    runAs: '{ dashboard: nobody, prober: nobody, bus: nobody }',
    told: /cannot run anything as 'nobody' \(uid \d+\): setpriv: .*: give this container .*, or write run_as: root/,
  },
])('$what', async ({ options, runAs, told }) => {
  await using system = await prepare(options, runAs);
  await system.startAgent();
  expect(await system.agentExit(), system.output).toBe(3);
  expect(system.output).toMatch(told);
  expect(await system.tagged()).toEqual([]);
});

test('a root that is nobody beyond its container is taken at its word, and runs everything itself', async (context) => {
  const unshare = ['unshare', '--user', '--map-root-user'] as const;
  const trial = process.getuid?.() === 0 ? await startFixture(unshare[0], [...unshare.slice(1), 'true']) : undefined;
  const isPossible = (await trial?.finished)?.code === 0;
  context.skip(!isPossible, 'needs root, and a user namespace');
  await using system = await prepare({ network: through(...unshare) }, 'root');
  await system.startAgent();
  await system.waitUntilUp();
  for (const { pid } of await system.tagged()) {
    expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t0\t0\t0\t0$/m);
  }
  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
});
