/** The page in a real browser, over the whole real system: what happens to a service shows, and a button acts. */
import { eventually, findChromium, isAlive, startMusterSystem } from '@muster/testkit';
import { type Browser, chromium, type Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { killHard, servicesYaml } from './support.ts';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Phones, and around each width at which the page changes. */
const WIDTHS = [360, 760, 761, 1_000, 1_180, 1_181, 1_200, 1_279, 1_280, 1_600];
const PATIENCE = { timeout: 60_000 };

test('a service is killed and the page shows it, a button restarts it, a silent host makes it unknown', async (context) => {
  const executablePath = findChromium();
  if (executablePath === undefined) return context.skip('needs chromium');
  await using system = await startMusterSystem({
    services: servicesYaml({ name: 'api', command: ['sleep', '600'], restart_delay: '15s' }),
  });
  await system.waitUntilUp();
  const { pid = 0 } = await system.waitUntilReady('api');
  const browser: Browser = await chromium.launch({ executablePath, args: FLAGS });
  await using _closing = { [Symbol.asyncDispose]: () => browser.close() };
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(system.dashboardUrl);
  const row = page.locator('tr[data-service="api"]');
  const isIn = (state: string) => page.locator(`tr[data-service="api"][data-state="${state}"]`).waitFor(PATIENCE);
  await isIn('running');

  await killHard(pid);
  // Both in one look: it is in backoff for a while only.
  await page
    .locator('tr[data-service="api"][data-state="backoff"] .cell-reason', { hasText: 'illed by SIGKILL' })
    .waitFor(PATIENCE);
  await isIn('running');
  await shows(row.locator('.cell-number').first(), /^1 \/ 10$/);
  await page.locator('.alert-summary', { hasText: 'was restarted' }).waitFor(PATIENCE);

  const crashed = await system.waitFor('api', ({ generation, ready }) => generation === 2 && ready === 'yes');
  await row.getByRole('button', { name: 'Restart api' }).click();
  await page.locator('.notice-title').first().waitFor(PATIENCE);
  const restarted = await system.waitFor('api', ({ generation, ready }) => generation === 3 && ready === 'yes');
  expect(restarted.pid).not.toBe(crashed.pid);
  expect(isAlive(crashed.pid ?? 0)).toBe(false);
  await isIn('running');
  await row.getByRole('button', { name: 'api: why?' }).click();
  await shows(page.locator('.why'), /asked to restart/i);

  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate(findOverflow), `at ${width} pixels`).toEqual([]);
  }

  await system.killAgent();
  await isIn('unknown');
  await shows(row.locator('.cell-reason'), /Was running, last confirmed\s.+\sago/);
  await shows(row.locator('.cell-state'), /Unknown.*for/);
  expect(isAlive(restarted.pid ?? 0), 'unknown is not dead').toBe(true);
  await system.startAgent();
  await isIn('running');
  expect(errors).toEqual([]);
});

/** What is wider than its cell, or than the page. Runs in the page. */
function findOverflow(): string[] {
  const root = document.documentElement;
  const cells = [...document.querySelectorAll('tr.service > *')].filter((cell) => cell.clientWidth > 0);
  return [root, ...cells].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className || 'the page');
}

/** Waits until the element says so. */
function shows(element: Locator, text: RegExp): Promise<boolean> {
  return eventually(
    async () => {
      const now = (await element.textContent()) ?? '';
      if (!text.test(now)) throw new Error(`it says '${now}'`);
      return true;
    },
    { timeoutMs: PATIENCE.timeout, message: String(text) },
  );
}
