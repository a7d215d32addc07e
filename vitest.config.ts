import { defineConfig } from 'vitest/config';

// Sources are resolved through the `@muster/source` condition, so unit tests need no build.
const resolve = { conditions: ['@muster/source'] };

/** Tests of the whole system, of built programs. One file at a time: each fills the machine. */
const system = {
  resolve,
  ssr: { resolve },
  test: {
    testTimeout: 180_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
};

/** Does not depend on which nats-server there is: `npm test` runs it once, and everything else on each version. */
const ON_ANY_SERVER = [
  'test/examples/**/*.test.ts',
  'test/system/agent-disk-full.test.ts',
  'test/system/agent-kill.test.ts',
  'test/system/cluster-keys.test.ts',
  'test/system/dependencies.test.ts',
  'test/system/fastapi-services.test.ts',
  'test/system/fresh-clone.test.ts',
  'test/system/launcher.test.ts',
  'test/system/other-accounts.test.ts',
  'test/system/page.test.ts',
  'test/system/ports.test.ts',
  'test/system/recovery.test.ts',
  'test/system/sabotage-exits.test.ts',
  'test/system/sabotage-launcher.test.ts',
  'test/system/shim-kill.test.ts',
];

/** What attackers and faults make of a nats-server, which differs from version to version: beside the whole system's tests. */
const ON_EACH_SERVER = [
  'packages/contracts/test/attacks.test.ts',
  'packages/contracts/test/observers.test.ts',
  'packages/contracts/test/permission-matrix.test.ts',
  'packages/contracts/test/permissions.test.ts',
  'packages/contracts/test/reply-attacks.test.ts',
];

export default defineConfig({
  test: {
    // Most of a test is waiting, for processes and servers: one more than the smallest machine has cores.
    maxWorkers: 3,
    projects: [
      {
        resolve,
        ssr: { resolve },
        test: {
          name: 'unit',
          include: [
            'packages/*/{src,test}/**/*.test.ts',
            'packages/dashboard/{server,web}/**/*.test.ts',
            'scripts/**/*.test.ts',
            'bench/src/**/*.test.ts',
          ],
          exclude: ON_EACH_SERVER,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { ...system, test: { ...system.test, name: 'system', include: ON_ANY_SERVER } },
      {
        ...system,
        test: {
          ...system.test,
          name: 'bus',
          include: ['test/**/*.test.ts', ...ON_EACH_SERVER],
          exclude: ON_ANY_SERVER,
        },
      },
    ],
  },
});
