#!/usr/bin/env node
/**
 * A first honest soak: one agent for some minutes with services that print 1 MB/s together, one of them killed now and
 * then, the bus killed in the middle, and a flood of garbage on every subject. Prints how memory and descriptors go, and
 * whether an event or a line was lost.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { checkStoredChains } from './event-chain.ts';
import { killAndWait } from './first-lines.ts';
import { accountLogs } from './log-account.ts';
import { Muster } from './muster.ts';
import { countDescriptors, readCpuMs, readMemory } from './processes.ts';
import { EXIT, runProgram, UsageError } from './program.ts';
import { run } from './run.ts';

const HELP = `Usage: npm run soak -- [options]

One agent with 20 services that print 1 MB/s together; one of them is killed every 7 s, and the bus for 5 s in the middle.
Prints a line a minute, and at the end whether memory grew and whether an event or a line of a log was lost.

  --minutes N   how long (default 10)
  --garbage N   so many messages that are none are sent meanwhile, on every subject (default 1000000)
  --storm       instead: the random storm of the system tests (agents, bus, prober and links fail) for so long, with its
                oracle at the end; MUSTER_SEED repeats one
  -h, --help    print this

Exit codes: 0 nothing lost, 1 something lost or failed, 2 wrong use.
`;

const SERVICES = 20;
const BYTES_PER_SECOND = 1_000_000;
const KILL_EVERY_MS = 7_000;
const BUS_AWAY_MS = 5_000;
const MEGABYTE = 1e6;
const LINE_BYTES = 100;

/** Prints its share once a second, in lines of 100 bytes. */
const SHARE_LINES = BYTES_PER_SECOND / SERVICES / LINE_BYTES;
const TALK = `line=$(printf '%${LINE_BYTES - 1}s' x)
while :; do
  n=0
  while [ $n -lt ${SHARE_LINES} ]; do echo "$line"; n=$((n + 1)); done
  sleep 1
done`;

interface Reading {
  readonly minute: number;
  readonly rssBytes: number;
  readonly anonymousBytes: number;
  readonly descriptors: number;
  /** Of the agent, since its start. */
  readonly cpuMs: number;
}

async function soak(minutes: number, garbage: number, signal: AbortSignal): Promise<number> {
  const rootDir = path.resolve(import.meta.dirname, '../..');
  await using ours = await Muster.start({ rootDir, services: SERVICES, parts: 'agent', serviceBody: TALK, signal });
  const pidBefore = ours.agentPid;
  const endsAtMs = performance.now() + minutes * 60_000;
  const busAway = loseBus(ours, (minutes * 60_000) / 2, signal);
  // Awaited below; until then nothing may count it as unhandled.
  busAway.catch(() => {});
  const flood = sendGarbage(rootDir, ours, garbage, signal);
  flood.catch(() => {});
  const readings: Reading[] = [];
  let kills = 0;
  say('minute     rss    anonymous  descriptors  kills   log on disk  CPU used');
  while (performance.now() < endsAtMs) {
    await delay(Math.min(KILL_EVERY_MS, Math.max(0, endsAtMs - performance.now())), undefined, { signal });
    await killAndWait(ours.lines, ours.names[kills % SERVICES] ?? '', signal);
    kills += 1;
    const minute = Math.floor(minutes - (endsAtMs - performance.now()) / 60_000);
    if (readings.some((reading) => reading.minute === minute)) continue;
    const reading = {
      minute,
      ...readMemory(pidBefore),
      descriptors: countDescriptors(pidBefore),
      cpuMs: readCpuMs(pidBefore),
    };
    readings.push(reading);
    say(renderReading(reading, kills, await diskBytes(ours.logDir)));
  }
  await busAway;
  say(`garbage: ${await flood}`);
  await ours.allRunning();
  return await judge(ours, kills, readings, signal);
}

/** The bus dies in the middle of it all and comes back with its data. */
async function loseBus(ours: Muster, afterMs: number, signal: AbortSignal): Promise<void> {
  await delay(afterMs, undefined, { signal });
  await ours.server.kill();
  await delay(BUS_AWAY_MS, undefined, { signal });
  await ours.server.restart();
}

/** Resolves with what the flood says of itself at its end. */
async function sendGarbage(rootDir: string, ours: Muster, messages: number, signal: AbortSignal): Promise<string> {
  if (messages === 0) return 'none';
  const { environment } = ours.bus;
  const order = { url: ours.server.url, environment, host: ours.host, keysDir: ours.keysDir, messages, seed: 1 };
  const script = path.join(rootDir, 'packages/contracts/test/fixtures/flood.mjs');
  return (await run(process.execPath, [script, JSON.stringify(order)], { signal })).trim();
}

async function judge(ours: Muster, kills: number, readings: readonly Reading[], signal: AbortSignal): Promise<number> {
  const { events, crashes, gaps, repeated } = await checkStoredChains(ours, kills, signal);
  const lost = Math.max(0, kills - crashes) + gaps;
  const [first, last] = [readings[Math.min(1, readings.length - 1)], readings.at(-1)];
  const grownBytes = (last?.rssBytes ?? 0) - (first?.rssBytes ?? 0);
  say(
    `${kills} kills, ${events} events: ${lost} lost or out of order, ${repeated} twice; RSS ${signed(grownBytes / MEGABYTE)} MB and descriptors ${signed((last?.descriptors ?? 0) - (first?.descriptors ?? 0))} from minute ${first?.minute} to ${last?.minute}`,
  );
  // Whoever still writes would never be accounted for.
  await ours.shutDown();
  const { written, shipped, counted, missing } = await accountLogs(ours, signal);
  say(`${written} lines: ${shipped} in the stream, ${counted} counted in gaps, ${missing} lost`);
  return lost + repeated === 0 && missing === 0 ? EXIT.ok : EXIT.failed;
}

function renderReading(
  { minute, rssBytes, anonymousBytes, descriptors, cpuMs }: Reading,
  kills: number,
  logBytes: number,
): string {
  const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(1)} MB`.padStart(9);
  return [
    String(minute).padStart(6),
    megabytes(rssBytes),
    megabytes(anonymousBytes),
    String(descriptors).padStart(11),
    String(kills).padStart(6),
    megabytes(logBytes),
    `${(cpuMs / 1_000).toFixed(1)} s`.padStart(8),
  ].join('  ');
}

/** What the logs take up, holes not counted. */
async function diskBytes(directory: string): Promise<number> {
  const names = await readdir(directory);
  return names.reduce((sum, name) => sum + statSync(path.join(directory, name)).blocks * 512, 0);
}

function signed(value: number): string {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return value < 0 ? text : `+${text}`;
}

/** The system test, for longer than `npm test` has time for. */
async function storm(minutes: number, signal: AbortSignal): Promise<number> {
  const rootDir = path.resolve(import.meta.dirname, '../..');
  const vitest = spawn(
    path.join(rootDir, 'node_modules/.bin/vitest'),
    ['run', '--project', 'bus', 'test/system/storm.test.ts'],
    { cwd: rootDir, env: { ...process.env, MUSTER_STORM_SECONDS: String(minutes * 60) }, stdio: 'inherit' },
  );
  // The terminal's Ctrl-C reaches it as well, and it cleans up.
  const [code] = (await once(vitest, 'exit')) as [number | null];
  signal.throwIfAborted();
  return code === 0 ? EXIT.ok : EXIT.failed;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

await runProgram({ name: 'soak', help: HELP }, async (signal) => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      garbage: { type: 'string' },
      storm: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const minutes = Number(values.minutes ?? 10);
  const garbage = Number(values.garbage ?? 1_000_000);
  if (values.help === true) {
    say(HELP);
    return EXIT.ok;
  }
  if (!(minutes > 0)) throw new UsageError(`--minutes is '${values.minutes}'; write a number above zero`);
  if (!(Number.isInteger(garbage) && garbage >= 0)) {
    throw new UsageError(`--garbage is '${values.garbage}'; write a whole number`);
  }
  return values.storm ? storm(minutes, signal) : soak(minutes, garbage, signal);
});
