import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestBus } from '@muster/contracts/testing';
import { type FixtureProcess, startNodeFixture } from '@muster/testkit';
import { ENVIRONMENT } from './test-bus.ts';

const PROGRAM = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const LEADING = 'leading: judges from now on';

export interface ProberSetup {
  readonly id?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The built program as a process of its own, with its configuration in the test's directory. */
export async function startProber(
  testBus: TestBus,
  { id = 'main', env = {} }: ProberSetup = {},
): Promise<FixtureProcess> {
  await access(PROGRAM).catch(() => {
    throw new Error(
      `cannot start the prober: '${PROGRAM}' is missing: build it with 'npx tsc -b packages/health-prober'`,
    );
  });
  return startNodeFixture(PROGRAM, [], {
    env: {
      MUSTER_BUS_URL: testBus.server.url,
      MUSTER_BUS_CREDENTIALS: testBus.credentials({ role: 'prober', id: id }),
      MUSTER_ENVIRONMENT: ENVIRONMENT,
      MUSTER_PROBER_ID: id,
      MUSTER_STATE_DIR: join(testBus.stateDir, 'state'),
      MUSTER_CONFIG_DIR: join(testBus.stateDir, 'config'),
      MUSTER_RUN: '',
      ...env,
    },
  });
}

export async function startLeadingProber(testBus: TestBus, setup: ProberSetup = {}): Promise<FixtureProcess> {
  const prober = await startProber(testBus, setup);
  await prober.line(LEADING, 60_000);
  return prober;
}

/** Probes fast enough for a test: a failure is certain after half a second. */
export const FAST = 'interval: 1s\nretry: 200ms\nattempts: 3\ntimeout: 5s\n';

export async function writeConfig(testBus: TestBus, text: string): Promise<void> {
  await mkdir(join(testBus.stateDir, 'config'), { recursive: true });
  await writeFile(join(testBus.stateDir, 'config', 'prober.yaml'), text);
}
