/** The launcher is killed while its agent still comes up: an agent that stayed would keep the next launcher's one out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findNatsServer } from '@muster/testkit';
import { expect, test } from 'vitest';
import { prepareSystem, ROOT_DIR } from './support.ts';

test.each([0, 100, 200, 300, 400])('the launcher is gone after %i ms, and its agent goes too', async (afterMs) => {
  await using system = await prepareSystem();
  const agent = spawn(process.execPath, [path.join(ROOT_DIR, 'packages/supervisor-agent/bundle/main.js')], {
    cwd: ROOT_DIR,
    env: { ...system.env, MUSTER_EMBEDDED: '1', MUSTER_NATS_SERVER: await findNatsServer() },
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const exited = once(agent, 'exit');
  await delay(afterMs);
  agent.disconnect();
  const [code] = (await exited) as [number | null];
  expect(code).toBe(0);
});
