/**
 * Lines of services arrive once and in order, or are counted. The agent and the bus are killed with -9 again and again
 * while two services number what they print, and a third prints more than its rate. The witnesses are the log files.
 */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type LogBatch, type LogStream, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { eventually, isAlive, type MusterSystem, seededRandom, startMusterSystem } from '@muster/testkit';
import { expect, test } from 'vitest';
import { newSeed } from './seed.ts';
import { connect, linesOf, servicesYaml, shell, waitForBus } from './support.ts';

const NUMBERED = path.resolve(import.meta.dirname, '../fixtures/numbered.sh');
const STEADY = ['alpha', 'beta'] as const;
const STREAMS = ['stdout', 'stderr'] as const;
const AGENT_KILLS = 10;
const BUS_KILLS = 3;
const FLOOD_LINES = 60_000;

test(`${AGENT_KILLS} kills of the agent and ${BUS_KILLS} of the bus: each line once and in order, or counted`, async () => {
  const random = seededRandom(newSeed('logs'));
  await using system = await startMusterSystem();
  const stopFile = path.join(system.stateDir, 'stop');
  await system.killAgent();
  await system.writeServices(
    servicesYaml(
      { name: 'alpha', command: [NUMBERED, stopFile, '60', '0.1'] },
      { name: 'beta', command: [NUMBERED, stopFile, '5', '0.03'] },
      {
        name: 'flood',
        command: shell(`seq -f 'flood %.0f of many' ${FLOOD_LINES}; exec sleep 86400`),
        logs: { rate: '16KiB', burst: '64KiB' },
      },
    ),
  );
  await system.startAgent();
  await waitForBus(system);

  const busKills = new Set(Array.from({ length: BUS_KILLS }, (_, i) => Math.floor(((i + 1) * AGENT_KILLS) / 4)));
  for (let kill = 0; kill < AGENT_KILLS; kill += 1) {
    await delay(random.integer(50, 1_500));
    if (busKills.has(kill)) {
      const { pid } = await system.waitFor('nats-server', ({ pid }) => pid !== undefined && isAlive(pid));
      process.kill(pid ?? 0, 'SIGKILL');
      await delay(random.integer(0, 300));
    }
    await system.killAgent();
    await delay(random.integer(0, 300));
    await system.startAgent();
  }
  await writeFile(stopFile, '');
  await allIsWritten(system);
  await using bus = await connect(system);

  for (const service of STEADY) {
    for (const stream of STREAMS) {
      const { lines, gaps } = await complete(bus, system, service, stream);
      expect(gaps, `${service} ${stream}: it kept to its rate`).toEqual([]);
      expect(lines, `${service} ${stream}: each line once, in order`).toEqual(
        await linesOf(fileOf(system, service, stream)),
      );
    }
  }
  const flood = await complete(bus, system, 'flood', 'stdout');
  const counted = flood.gaps.reduce((sum, gap) => sum + (gap.lines ?? 0), 0);
  expect(flood.lines.length + counted, 'each line of the flood is there or counted').toBe(FLOOD_LINES);
  expect(counted, 'and most are counted').toBeGreaterThan(FLOOD_LINES / 2);
  expect(flood.lines, 'in order').toEqual([...flood.lines].sort((a, b) => numberIn(a) - numberIn(b)));

  await expectReadable(system, new Set(flood.lines));
});

const numberIn = (line: string): number => Number(/\d+/.exec(line)?.[0] ?? Number.POSITIVE_INFINITY);

function fileOf(system: MusterSystem, service: string, stream: LogStream): string {
  return path.join(system.stateDir, 'logs', `${service}.0.${stream}.log`);
}

/** Each service has said its last word, so that its files grow no more. What goes to stderr is written before that. */
async function allIsWritten(system: MusterSystem): Promise<void> {
  const isLast = { alpha: /^end \d+$/, beta: /^end \d+$/, flood: new RegExp(`^flood ${FLOOD_LINES} of many$`) };
  for (const [service, last] of Object.entries(isLast)) {
    await eventually(async () => last.test((await linesOf(fileOf(system, service, 'stdout'))).at(-1) ?? ''), {
      message: `the last line of ${service}`,
      timeoutMs: 60_000,
    });
  }
}

/** What the stream has of one file, once it covers all of it. */
async function complete(bus: Bus, system: MusterSystem, service: string, stream: LogStream) {
  const size = (await readFile(fileOf(system, service, stream))).length;
  return eventually(
    async () => {
      const batches = (await bus.history(rows.instanceLog, { host: system.host, service })).map(
        ({ message }) => message,
      );
      const stretches = batches.flatMap((batch) => stretchesOf(batch, stream));
      const covered = stretches.reduce((at, { from, to }) => {
        if (from !== at) throw new Error(`behind byte ${at} comes byte ${from}`);
        return to;
      }, 0);
      if (covered !== size) throw new Error(`${covered} of ${size} bytes are told`);
      const lines = batches.flatMap((batch) => batch.lines.filter((line) => line.stream === stream));
      const gaps = batches.flatMap((batch) => batch.gaps.filter((gap) => gap.stream === stream));
      return { lines: lines.map(({ text }) => text), gaps };
    },
    { timeoutMs: 60_000, message: `each byte of ${service} ${stream} in the stream, once and in order` },
  );
}

/** Of the file, in the order in which they are told: lines, then what was left out behind them. */
function stretchesOf({ lines, gaps }: LogBatch, of: LogStream): { readonly from: number; readonly to: number }[] {
  const told = [
    ...lines.map(({ stream, offset, text, partial }) => {
      return { stream, from: offset, to: offset + Buffer.byteLength(text) + (partial ? 0 : 1) };
    }),
    ...gaps.map(({ stream, offset, bytes }) => ({ stream, from: offset, to: offset + bytes })),
  ];
  return told.filter(({ stream }) => stream === of);
}

/** `muster logs`, as a person has it. */
async function expectReadable(system: MusterSystem, floodShipped: ReadonlySet<string>): Promise<void> {
  const [last] = (await linesOf(fileOf(system, 'alpha', 'stdout'))).slice(-1);
  const tail = await system.cli('logs', 'alpha', '--stream', 'stdout', '--lines', '2');
  expect(tail.stdout.trimEnd().split('\n'), tail.stderr).toHaveLength(2);
  expect(tail.stdout).toMatch(new RegExp(`^\\S+ \\S+  ${system.host}/alpha\\.0  ${last}$`, 'm'));

  const errors = await system.cli('logs', `${system.host}/beta`, '--since', '1h', '--level', 'error', '--json');
  const told = errors.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; level: string });
  expect(told.map(({ text }) => text)).toEqual(await linesOf(fileOf(system, 'beta', 'stderr')));
  expect(new Set(told.map(({ level }) => level))).toEqual(new Set(['error']));

  const both = await system.cli('logs', '--since', '1h', '--regex', '^end \\d+$');
  expect(both.stdout.match(/\bend \d+$/gm)).toHaveLength(STEADY.length);
  expect(both.stdout, 'gaps are told whatever is searched for').toMatch(
    /-- \d+ lines \(\d+ bytes\) of stdout are not here/,
  );

  expect((await system.cli('logs', 'nobody')).code, 'no such service').toBe(5);
  expect((await system.cli('logs', '--regex', '(')).code).toBe(2);

  const onHost = await system.cli('logs', 'flood', '--on-host', '--lines', '10000', '--grep', 'flood');
  expect(onHost.code, onHost.stderr).toBe(0);
  const shown = onHost.stdout.trimEnd().split('\n');
  expect(shown).toHaveLength(10_000);
  expect(shown.at(-1)).toContain(`flood ${FLOOD_LINES} of many`);
  const numbers = shown.map((line) => /flood \d+ of many/.exec(line)?.[0] ?? '');
  expect(
    numbers.some((line) => !floodShipped.has(line)),
    'the host has also what was not shipped',
  ).toBe(true);

  await appendFile(fileOf(system, 'alpha', 'stdout'), 'one more\n');
  await eventually(async () => (await system.cli('logs', 'alpha', '--lines', '1')).stdout.includes('one more'), {
    message: 'the next line',
    timeoutMs: 60_000,
  });
}
