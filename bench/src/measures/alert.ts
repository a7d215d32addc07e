import { setTimeout as delay } from 'node:timers/promises';
import { type AlertEvent, type InstanceEvent, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { killIfAlive } from '@muster/testkit';
import { atMost } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { median, percentile } from '../statistics.ts';
import { waitUntil } from '../wait-until.ts';

const GOAL_MS = 50;
const DEAD_HOST_GOAL_S = 12;
const PAUSE_MS = 200;
/** Several heartbeats of a host, and the prober's lease taken. */
const SETTLED_MS = 15_000;
/** The prober has to take its lease before it judges. */
const JUDGE_TIMEOUT_MS = 90_000;

/** When something was at the subscriber, of `performance.now()`. */
interface Arrival<T> {
  readonly message: T;
  readonly atMs: number;
}

export const alert: Measure = {
  name: 'alert',
  includes:
    'real agent, nats-server and prober: a service is killed and restarted → alert `restarted`; a service whose budget is spent is killed → alert `failed`; from the event at a subscriber (stream publish and judging included) and from the kill itself to the alert at the same subscriber; the agent of a host is killed and not started again → alert `host-gone`',
  async run({ rootDir, signal, isQuick, say }) {
    const services = isQuick ? 10 : 40;
    const healing = await observe('restarted', { rootDir, services, signal, say });
    const failing = await observe('failed', { rootDir, services, signal, say });
    const deadHostMs = await killHosts(isQuick ? 1 : 5, { rootDir, services: 1, signal, say });
    const fromEventMs = [...healing, ...failing].map((one) => one.fromEventMs);
    const fromKillMs = [...healing, ...failing].map((one) => one.fromKillMs);
    return {
      counts: `${services} restarted, ${services} failed, ${deadHostMs.length} hosts`,
      findings: [
        { what: 'event → alert at a subscriber, p50', unit: 'ms', ours: percentile(fromEventMs, 0.5) },
        {
          what: 'event → alert at a subscriber, p99',
          unit: 'ms',
          ours: percentile(fromEventMs, 0.99),
          goal: atMost(GOAL_MS),
        },
        { what: 'kill → alert at a subscriber, p50', unit: 'ms', ours: percentile(fromKillMs, 0.5) },
        {
          what: 'kill → alert at a subscriber, p99',
          unit: 'ms',
          ours: percentile(fromKillMs, 0.99),
          goal: atMost(GOAL_MS),
        },
        { what: 'host dead → alert at a subscriber, median', unit: 's', ours: median(deadHostMs) / 1_000 },
        {
          what: 'host dead → alert at a subscriber, longest',
          unit: 's',
          ours: Math.max(...deadHostMs) / 1_000,
          goal: atMost(DEAD_HOST_GOAL_S),
        },
      ],
      leftOut: ['Prometheus with Alertmanager and Beszel: by their design 30 s to minutes'],
    };
  },
};

interface Latency {
  readonly fromKillMs: number;
  readonly fromEventMs: number;
}

interface ObserveOptions {
  readonly rootDir: string;
  readonly services: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

async function observe(rule: 'restarted' | 'failed', options: ObserveOptions): Promise<Latency[]> {
  const { rootDir, services, signal, say } = options;
  say(`alert: starting the whole system with ${services} services`);
  // One more service than is measured: the first alert shows that somebody judges.
  await using ours = await Muster.start({
    rootDir,
    services: services + 1,
    // A budget of nothing is spent by the first crash.
    serviceKeys: rule === 'failed' ? { max_restarts: 0 } : {},
    parts: 'whole',
    signal,
  });
  await ours.bus.connected(signal);
  using ear = new Ear(ours.bus, ours.host);
  const [canary = '', ...victims] = ours.names;
  await delay(PAUSE_MS, undefined, { signal });
  killIfAlive(ours.lines.last(canary).pid);
  await waitUntil(() => ear.alert(canary, rule), {
    what: `the first alert '${rule}'`,
    signal,
    timeoutMs: JUDGE_TIMEOUT_MS,
  });

  say(`alert: ${services} × ${rule}`);
  const latencies: Latency[] = [];
  for (const victim of victims) {
    const killedAtMs = performance.now();
    killIfAlive(ours.lines.last(victim).pid);
    const alert = await waitUntil(() => ear.alert(victim, rule), { what: `an alert of '${victim}'`, signal });
    // The alert names the events that it came of; the last of them to arrive is what it answers.
    const causes = alert.message.data.causes.flatMap((id) => ear.event(id) ?? []);
    const causedAtMs = Math.max(...causes.map(({ atMs }) => atMs));
    if (!Number.isFinite(causedAtMs)) throw new Error(`the alert of '${victim}' names no event that was seen`);
    latencies.push({ fromKillMs: alert.atMs - killedAtMs, fromEventMs: Math.max(0, alert.atMs - causedAtMs) });
    await delay(PAUSE_MS, undefined, { signal });
  }
  return latencies;
}

/** Kills the agent of a host again and again, each time with a new one that has been heard. Returns kill → alert, in ms. */
async function killHosts(rounds: number, { rootDir, services, signal, say }: ObserveOptions): Promise<number[]> {
  await using ours = await Muster.start({ rootDir, services, parts: 'whole', signal });
  await ours.bus.connected(signal);
  const arrivals: number[] = [];
  const ear = ours.bus.subscribe(rows.alert, { host: ours.host, rule: 'host-gone' }, ({ data }) => {
    if (data.state === 'firing') arrivals.push(performance.now());
  });
  const tookMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    say(`alert: killing the host, ${round + 1} of ${rounds}`);
    if (round > 0) ours.startAgent();
    await ours.allRunning();
    await delay(SETTLED_MS, undefined, { signal });
    const killedAtMs = performance.now();
    await ours.killAgent();
    await waitUntil(() => arrivals.length > round, { what: "the alert 'host-gone'", signal });
    tookMs.push((arrivals[round] ?? Number.POSITIVE_INFINITY) - killedAtMs);
  }
  ear.stop();
  return tookMs;
}

/** Hears every event of instances and every alert, and remembers when. */
class Ear implements Disposable {
  readonly #alerts: Arrival<AlertEvent>[] = [];
  readonly #events = new Map<string, Arrival<InstanceEvent>>();
  readonly #subscriptions;

  constructor(bus: Bus, host: string) {
    this.#subscriptions = [
      bus.subscribe(rows.alert, { host }, (message) => this.#alerts.push({ message, atMs: performance.now() })),
      bus.subscribe(rows.instanceEvent, { host }, (message) =>
        this.#events.set(message.id, { message, atMs: performance.now() }),
      ),
    ];
  }

  alert(service: string, rule: string): Arrival<AlertEvent> | undefined {
    return this.#alerts.find(({ message: { data } }) => data.service === service && data.rule === rule);
  }

  event(id: string): Arrival<InstanceEvent> | undefined {
    return this.#events.get(id);
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription.stop();
  }
}
