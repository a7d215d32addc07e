import { findPython, freePort } from '@muster/testkit';
import { expect, test } from 'vitest';
import { FastapiDriver } from '../../src/drivers/fastapi/driver.ts';
import { createDriverRegistry } from '../../src/drivers/registry.ts';
import { Bench, insist, never, until } from './harness.ts';

const application = `
import os, sys
from fastapi import FastAPI
app = FastAPI()
@app.get("/api/health")
def health(): return {"port": os.environ.get("PORT"), "python": sys.executable}
if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=int(os.environ["PORT"]))
`;

async function health(port: number): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${port}/api/health`)).json();
}

test('a FastAPI service runs by each form of its command', async (context) => {
  context.skip(findPython('fastapi', 'uvicorn') === undefined, 'no python3 here imports fastapi and uvicorn');
  await using bench = new Bench();
  const driver = new FastapiDriver(bench.driver);
  bench.write('web.py', application);
  let generation = 0;
  for (const form of ['python web.py', 'web:app', ['uvicorn', 'web:app', '--port', 'PORT']]) {
    const port = await freePort();
    const command = typeof form === 'string' ? form : form.map((word) => word.replace('PORT', String(port)));
    generation += 1;
    const run = insist(await driver.start(bench.spec(command, { port, generation }), never));
    const answer = await until(`health of ${String(form)}`, () => health(port), 60_000);
    expect(answer).toMatchObject({ port: String(port) });
    await run.signalTree('SIGTERM');
    await run.treeGone(never);
  }
  // Python imports FastAPI six times.
}, 300_000);

test('without a Python that has FastAPI the error names both that were tried and the remedy', async () => {
  await using bench = new Bench();
  const driver = new FastapiDriver(bench.driver);
  const python = bench.write(
    'python3',
    '#!/bin/sh\necho "ModuleNotFoundError: No module named \'fastapi\'" >&2; exit 1\n',
  );
  // PYTHONHOME makes the system's Python fail as well.
  const environment = { PATH: `${bench.folder}:/usr/bin:/bin`, PYTHONHOME: bench.folder };
  const outcome = await driver.start(bench.spec('web:app', { environment }), never);
  expect(outcome).toMatchObject({ kind: 'start-failed', isRetryable: true });
  const reason = 'reason' in outcome ? outcome.reason : '';
  expect(reason).toContain(`${python} (ModuleNotFoundError: No module named 'fastapi') and /usr/bin/python3 (`);
  expect(reason).toContain('apt-get install python3-fastapi python3-uvicorn');
});

test('the registry has the drivers of this build and a reason for the others', async () => {
  await using bench = new Bench();
  await using registry = createDriverRegistry({ runtimeFolder: bench.runtimeFolder, output: bench.output });
  expect(registry.find('process').kind).toBe('driver');
  expect(registry.find('fastapi').kind).toBe('driver');
  expect(registry.find('docker')).toEqual({ kind: 'unavailable', reason: 'driver docker is not in this build' });
});
