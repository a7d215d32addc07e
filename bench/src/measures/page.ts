import { setTimeout as delay } from 'node:timers/promises';
import { findChromium, killIfAlive } from '@muster/testkit';
import { chromium, type Page } from 'playwright-core';
import { atMost } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { percentile } from '../statistics.ts';

const SERVICES = 5;
const GOAL_MS = 500;
/** Uneven, so that the kills fall on every phase of the page's frames. */
const PAUSE_MS = 1_130;
const PAGE_TIMEOUT_MS = 60_000;

export const page: Measure = {
  name: 'page',
  includes:
    "SIGKILL of a service → the change (state or count of restarts) in the service's row, seen by a MutationObserver in headless Chromium; real agent, nats-server, prober and dashboard; both times from the machine's clock, in whole ms",
  async run({ rootDir, signal, isQuick, say }) {
    const rounds = isQuick ? 5 : 30;
    const executablePath = findChromium();
    if (executablePath === undefined) throw new Error('no Chromium on PATH: install chromium');
    say('page: starting the whole system and Chromium');
    await using ours = await Muster.start({ rootDir, services: SERVICES, parts: 'whole', signal });
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    try {
      const tab = await browser.newPage();
      await openFleet(tab, ours, signal);
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        say(`page: round ${round + 1} of ${rounds}`);
        await delay(PAUSE_MS, undefined, { signal });
        times.push(await killAndWatch(tab, ours, ours.names[round % SERVICES] ?? ''));
      }
      return {
        counts: `${rounds} kills, ${SERVICES} services`,
        findings: [
          { what: 'crash → visible on the page, p50', unit: 'ms', ours: percentile(times, 0.5) },
          {
            what: 'crash → visible on the page, p95',
            unit: 'ms',
            ours: percentile(times, 0.95),
            goal: atMost(GOAL_MS),
          },
        ],
        leftOut: ['painting after the change of the document: at most one frame of the screen'],
      };
    } finally {
      await browser.close();
    }
  },
};

function rowOf(service: string): string {
  return `tr[data-service="${service}"]`;
}

/** Opens the page, again while nobody listens there yet, and waits until it shows every service as running. */
async function openFleet(tab: Page, ours: Muster, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + PAGE_TIMEOUT_MS;
  for (;;) {
    try {
      await tab.goto(ours.dashboardUrl);
      break;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await delay(200, undefined, { signal });
    }
  }
  for (const service of ours.names) {
    await tab.waitForSelector(`${rowOf(service)}[data-state="running"]`, { timeout: PAGE_TIMEOUT_MS });
  }
}

async function killAndWatch(tab: Page, ours: Muster, service: string): Promise<number> {
  const { pid } = ours.lines.last(service);
  // Armed before the kill; settles with the page's Date.now().
  await tab.evaluate(armObserver, rowOf(service));
  const killedAt = Date.now();
  killIfAlive(pid);
  const changedAt = await tab.evaluate(readObserver);
  return Math.max(0, changedAt - killedAt);
}

/** Runs in the page. What changes by itself (ages, CPU, memory) does not count. */
function armObserver(selector: string): void {
  const page = globalThis as unknown as PageWindow;
  const look = (): string => {
    const row = page.document.querySelector(selector);
    return `${row?.getAttribute('data-state')} ${row?.querySelector('[data-label="Restarts"]')?.textContent}`;
  };
  const before = look();
  page.musterBench = new Promise((resolve) => {
    const observer = new page.MutationObserver(() => {
      if (look() === before) return;
      observer.disconnect();
      resolve(Date.now());
    });
    observer.observe(page.document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
}

/** Runs in the page. */
function readObserver(): Promise<number> {
  return (globalThis as unknown as PageWindow).musterBench;
}

/** As much of a browser's window as is used here; the rest of the benchmark is Node. */
interface PageWindow {
  musterBench: Promise<number>;
  readonly document: { readonly body: unknown; querySelector(selector: string): PageElement | null };
  readonly MutationObserver: new (
    onChange: () => void,
  ) => {
    observe(target: unknown, options: Readonly<Record<string, boolean>>): void;
    disconnect(): void;
  };
}

interface PageElement {
  readonly textContent: string | null;
  getAttribute(name: string): string | null;
  querySelector(selector: string): PageElement | null;
}
