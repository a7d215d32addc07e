import { fileURLToPath } from 'node:url';
import { eventually, type FixtureProcess, findPython, freePort, startFixture } from '@muster/testkit';
import { beforeEach, describe, expect, test } from 'vitest';

const rootDir = fileURLToPath(new URL('../..', import.meta.url));
const python = findPython('fastapi', 'uvicorn');

interface Running {
  readonly url: string;
  readonly process: FixtureProcess;
}

/** One row per way to run the examples: how to start one of them. */
const flavours = [
  {
    flavour: 'Node',
    command: process.execPath,
    file: (service: string) => `examples/services/node/${service}.mjs`,
  },
  {
    flavour: 'FastAPI',
    command: python,
    file: (service: string) => `examples/services/fastapi/${service.replaceAll('-', '_')}.py`,
  },
];

describe.each(flavours)('example services in $flavour', ({ command, file }) => {
  beforeEach((context) => {
    context.skip(command === undefined, 'no python3 here imports fastapi and uvicorn');
  });

  async function start(service: string, env: Record<string, string> = {}): Promise<Running> {
    const port = await freePort();
    const fixture = await startFixture(command ?? '', [file(service)], {
      cwd: rootDir,
      env: { ...env, PORT: String(port) },
    });
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => (await fetch(`${url}/api/health`).catch(() => undefined))?.ok, {
      message: `${service} to answer /api/health; it said: ${fixture.lines.join('\n')}`,
      timeoutMs: 60_000,
    });
    return { url, process: fixture };
  }

  test.each(['search-discovery-api', 'rag-api', 'analytics-api'])(
    '%s answers /api/health, and ends with 0 on SIGTERM',
    async (service) => {
      const { url, process } = await start(service);
      await using fixture = process;
      const health: unknown = await (await fetch(`${url}/api/health`)).json();
      expect(health).toMatchObject({ status: 'healthy', service, version: '1.0.0', uptimeSeconds: expect.any(Number) });
      expect(await fixture.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    },
  );

  test('rag-api answers from what search-discovery-api finds, and says so when that is away', async () => {
    const search = await start('search-discovery-api');
    await using searchProcess = search.process;
    const rag = await start('rag-api', { SEARCH_URL: search.url });
    await using _ragProcess = rag.process;
    const question = `${rag.url}/api/answer?q=what+is+an+alert`;
    expect(await (await fetch(question)).json()).toMatchObject({ sources: expect.arrayContaining(['alerts']) });
    await searchProcess.kill('SIGTERM');
    expect((await fetch(question)).status).toBe(502);
  });

  test('analytics-api counts events, and refuses those without a name', async () => {
    const { url, process } = await start('analytics-api');
    await using _fixture = process;
    const send = async (body: string) =>
      (await fetch(`${url}/api/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
        .status;
    expect(await send('{"name":"signup"}')).toBe(202);
    expect(await send('{"name":"signup"}')).toBe(202);
    expect(await send('{"name":""}')).toBeGreaterThanOrEqual(400);
    expect(await send('{"name":')).toBeGreaterThanOrEqual(400);
    expect(await (await fetch(`${url}/api/summary`)).json()).toEqual({ counts: { signup: 2 } });
  });
});
