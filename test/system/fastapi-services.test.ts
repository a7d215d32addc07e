/** The example services in FastAPI as an agent runs them, from the file that is offered for config/services.yaml. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { findPython, freePort, startMusterSystem } from '@muster/testkit';
import { expect, test } from 'vitest';
import { ROOT_DIR, withPorts } from './support.ts';

test('all three get ready, and answer for themselves', async (context) => {
  context.skip(findPython('fastapi', 'uvicorn') === undefined, 'no python3 here imports fastapi and uvicorn');
  const shipped = await readFile(path.join(ROOT_DIR, 'examples/services/services.fastapi.yaml'), 'utf8');
  const services = new Map([
    ['search-discovery-api', 8000],
    ['rag-api', 8001],
    ['analytics-api', 8002],
  ]);
  const ports = new Map<number, number>();
  for (const port of services.values()) ports.set(port, await freePort());
  await using system = await startMusterSystem({ isEmbedded: false, services: withPorts(shipped, ports) });
  for (const [service, port] of services) {
    await system.waitUntilReady(service);
    const health = await fetch(`http://127.0.0.1:${ports.get(port)}/api/health`);
    expect(await health.json()).toMatchObject({ service, status: 'healthy' });
  }
  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
});
