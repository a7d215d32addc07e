import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commands } from '@muster/contracts';
import { type Bus, uuidv7 } from '@muster/contracts/bus';
import { checkStoredChains } from '../event-chain.ts';
import { atMost, atMostOfPeer } from '../finding.ts';
import { killAndWait } from '../first-lines.ts';
import type { Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { readMemory } from '../processes.ts';
import { run } from '../run.ts';
import { percentile } from '../statistics.ts';

const SERVICES = 10;
const THIEF = 'thief';
const SECONDS = 120;
const QUICK_SECONDS = 15;
const ASK_EVERY_MS = 50;
const UNLOADED_QUESTIONS = 400;
const KILL_EVERY_MS = 5_000;
const TIMEOUT_MS = 30_000;
const GOAL_RATIO = 5;
/** In which it fills what every stream keeps free for it. */
const GOAL_SECONDS = 10;
/** What the agent lets the embedded server have before it collects its garbage at any price (GOMEMLIMIT). */
const GOAL_SERVER_MB = 768;

export const thief: Measure = {
  name: 'thief',
  includes:
    "an agent with services on a bus with keys and its guard, and beside it a thief with another agent's credentials: four connections at full speed into every bucket and stream that an agent may write to, which come back as often as they are thrown out. A command is a signed question to the agent (status) and its signed answer; unloaded is the same before the thief came",
  async run({ rootDir, isQuick, signal, say }) {
    const seconds = isQuick ? QUICK_SECONDS : SECONDS;
    await using ours = await Muster.start({ rootDir, services: SERVICES, parts: 'agent', signal });
    await ours.muster('host', 'add', THIEF, '--url', ours.server.url);
    await using guard = ours.startProgram('bus', 'guard');
    const unloaded: number[] = [];
    for (let asked = 0; asked < UNLOADED_QUESTIONS; asked += 1) unloaded.push(await askMs(ours.bus, ours.host));

    say(`thief: at full speed for ${seconds} s`);
    const order = {
      url: ours.server.url,
      environment: 'development',
      host: THIEF,
      credentialsFile: path.join(ours.keysDir, `agent-${THIEF}.creds`),
      seconds,
    };
    const script = path.join(rootDir, 'packages/contracts/test/fixtures/thief.mjs');
    const flooding = run(process.execPath, [script, JSON.stringify(order)], { signal });
    const ended = new AbortController();
    const [loaded, serverBytes, kills, told] = await Promise.all([
      askUntil(ours.bus, ours.host, ended.signal),
      watchMemory(() => readMemory(ours.server.pid).rssBytes, ended.signal),
      killUntil(ours, ended.signal, signal),
      flooding.finally(() => ended.abort()),
    ]);
    const out = JSON.parse(told) as { sentBytes: number; thrownOut: number; seconds: number };
    const { crashes, gaps, repeated } = await checkStoredChains(ours, kills, signal);
    const lost = Math.max(0, kills - crashes) + gaps + repeated;
    if (guard.hasEnded()) throw new Error('the guard has ended');
    const p99 = percentile(unloaded, 0.99);
    return {
      counts: `${seconds} s; the thief sent ${Math.round(out.sentBytes / 1e6)} MB and was thrown out ${out.thrownOut} times; ${loaded.length} commands, ${kills} kills`,
      findings: [
        {
          what: 'a command meanwhile, p99',
          unit: 'ms',
          ours: percentile(loaded, 0.99),
          peer: { name: 'unloaded', value: p99 },
          goal: atMostOfPeer(GOAL_RATIO),
        },
        { what: '  the slowest', unit: 'ms', ours: percentile(loaded, 1) },
        { what: 'until the thief was out for good', unit: 's', ours: out.seconds, goal: atMost(GOAL_SECONDS) },
        { what: 'events lost or out of order', unit: '', ours: lost, goal: atMost(0) },
        { what: 'memory of nats-server, at most', unit: 'MB', ours: serverBytes / 1e6, goal: atMost(GOAL_SERVER_MB) },
      ],
    };
  },
};

async function askMs(bus: Bus, host: string): Promise<number> {
  const startedAtMs = performance.now();
  const question = { id: uuidv7(), time: new Date().toISOString(), source: 'operator/cli', actor: 'bench' };
  await bus.request(commands.status, { host }, question, { timeoutMs: TIMEOUT_MS });
  return performance.now() - startedAtMs;
}

/** One that is not answered took as long as was waited for it. */
async function askUntil(bus: Bus, host: string, until: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!until.aborted) {
    times.push(await askMs(bus, host).catch(() => TIMEOUT_MS));
    await delay(ASK_EVERY_MS, undefined, { signal: until }).catch(() => {});
  }
  return times;
}

async function watchMemory(read: () => number, until: AbortSignal): Promise<number> {
  let most = 0;
  while (!until.aborted) {
    most = Math.max(most, read());
    await delay(ASK_EVERY_MS, undefined, { signal: until }).catch(() => {});
  }
  return most;
}

async function killUntil(ours: Muster, until: AbortSignal, signal: AbortSignal): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    if (until.aborted) return kills;
    await killAndWait(ours.lines, ours.names[kills % SERVICES] ?? '', signal);
    await delay(KILL_EVERY_MS, undefined, { signal: until }).catch(() => {});
  }
}
