/* The page in a real browser, served by the dashboard as a program, over a real bus with a simulated agent. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Outbox } from '@muster/contracts/bus';
import { findChromium } from '@muster/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Dashboard } from '../server/dashboard.ts';
import { auditTrail } from '../server/source/audit-trail.ts';
import { BusSource } from '../server/source/bus-source.ts';
import { readUsers } from '../server/users.ts';
import { SimulatedAgent } from './support/simulated-agent.ts';
import { ownOwners } from './support/start-dashboard.ts';
import { ENVIRONMENT, startTestBus } from './support/test-bus.ts';

const CHROMIUM = findChromium();

/** The machine may be busy. A test has several steps, each of which may take so long. */
const PATIENCE = { timeout: 40_000 };
vi.setConfig({ testTimeout: 240_000 });

let stack: Awaited<ReturnType<typeof startAll>> | undefined;

async function startAll(executablePath: string) {
  const webRoot = await mkdtemp(join(tmpdir(), 'muster-page-'));
  await build({
    configFile: resolve(import.meta.dirname, '../vite.config.ts'),
    logLevel: 'silent',
    build: { outDir: webRoot },
  });
  const bus = await startTestBus();
  const own = bus.open({ role: 'dashboard', id: 'main' });
  const now = () => performance.now();
  const source = new BusSource({ bus: own, now });
  const outbox = await Outbox.open({ directory: join(bus.stateDir, 'outbox'), bus: own });
  const audit = auditTrail({ outbox, id: 'main', epoch: 1 });
  const dashboard = await Dashboard.start({
    source,
    environment: ENVIRONMENT,
    id: 'main',
    version: '0',
    epoch: 1,
    now,
    webRoot,
    audit,
    owners: ownOwners(),
  });
  const port = await dashboard.listen('127.0.0.1', 0);
  const credentialsFile = bus.credentials({ role: 'agent', id: 'web1' });
  const agent = await SimulatedAgent.start({ url: bus.url, credentialsFile, environment: ENVIRONMENT, host: 'web1' });
  const browser: Browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  return {
    bus,
    agent,
    browser,
    url: `http://127.0.0.1:${port}/`,
    async close() {
      await browser.close();
      await dashboard[Symbol.asyncDispose]();
      source[Symbol.dispose]();
      await outbox.close();
      await agent[Symbol.asyncDispose]();
      await own[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
      await rm(webRoot, { recursive: true });
    },
  };
}

beforeAll(async () => {
  if (CHROMIUM !== undefined) stack = await startAll(CHROMIUM);
}, 120_000);
afterAll(() => stack?.close());
beforeEach((context) => {
  context.skip(CHROMIUM === undefined, 'needs chromium');
});

function started() {
  if (stack === undefined) throw new Error('the stack has not been started');
  return stack;
}

/** Opens the page anew, and fails the test on anything that the browser complains about. */
async function open(): Promise<{ page: Page; complaints: string[]; [Symbol.asyncDispose](): Promise<void> }> {
  const context = await started().browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.goto(started().url);
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** Turns the line around, hides, is markup. */
const HOSTILE = ' \u202E\u2066\u200B\u009B\u001B[2J <b>bold</b>';

async function expectHarmless(page: Page): Promise<void> {
  const html = await page.evaluate(() => document.documentElement.outerHTML);
  expect(html).toContain('&lt;b&gt;bold');
  expect(html.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
}

const row = (page: Page, service: string) => page.locator(`tr[data-service="${service}"]`);
const inState = (page: Page, service: string, state: string) =>
  page.locator(`tr[data-service="${service}"][data-state="${state}"]`);

test('a change of state shows by itself, with its reason, and its story on request', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  const { agent } = started();
  await agent.become('rag-api', 'running', 'ready after 0.8 s');
  await inState(page, 'rag-api', 'running').waitFor(PATIENCE);
  await page.getByRole('heading', { name: 'The one service is running' }).waitFor(PATIENCE);

  await agent.become('rag-api', 'failed', `its restart budget is spent${HOSTILE}`);
  await inState(page, 'rag-api', 'failed').waitFor(PATIENCE);
  expect(await row(page, 'rag-api').textContent()).toContain('its restart budget is spent');
  await page.getByRole('heading', { name: '1 down' }).waitFor(PATIENCE);

  await row(page, 'rag-api').getByRole('button', { name: 'rag-api: why?' }).click();
  await page.locator('.step').first().waitFor(PATIENCE);
  expect(await page.locator('.step').first().textContent()).toContain('failed');
  await expectHarmless(page);
  expect(complaints).toEqual([]);
});

test('a button sends the command; stopping is asked for twice; a refusal says why', async () => {
  await using opened = await open();
  const { page } = opened;
  const { agent } = started();
  await agent.become('search-api', 'running', 'ready');
  const stop = row(page, 'search-api').getByRole('button', { name: 'Stop search-api' });
  await inState(page, 'search-api', 'running').waitFor(PATIENCE);

  await stop.click();
  await page.getByRole('button', { name: 'Keep it running' }).click();
  expect(agent.asked).toEqual([]);
  await stop.click();
  await page.getByRole('button', { name: 'Stop it' }).click();
  // Good news goes by itself: it is looked for before what stays.
  await page.getByText('Stop of search-api accepted').waitFor(PATIENCE);
  await inState(page, 'search-api', 'stopped').waitFor(PATIENCE);
  expect(agent.asked).toEqual([
    { verb: 'stop', service: 'search-api', actor: readUsers().named(process.getuid?.() ?? -1) },
  ]);

  agent.refusal = `the disk is full${HOSTILE}`;
  await row(page, 'search-api').getByRole('button', { name: 'Start search-api', exact: true }).click();
  await page.getByText('Start of search-api refused').waitFor(PATIENCE);
  await page.getByText('the disk is full').waitFor(PATIENCE);
  await expectHarmless(page);
  agent.refusal = undefined;
});

test('the bus killed: everything is unknown, with its age; back again: known again', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  const { agent, bus } = started();
  await agent.become('analytics-api', 'running', 'ready');
  await inState(page, 'analytics-api', 'running').waitFor(PATIENCE);
  await bus.server.kill();
  await inState(page, 'analytics-api', 'unknown').waitFor(PATIENCE);
  await page.getByRole('heading', { name: 'Blind: the bus is away' }).waitFor(PATIENCE);
  await page.waitForFunction(
    () => /Was running, last confirmed [1-9]\d*\s(s|min)/.test(document.body.textContent ?? ''),
    undefined,
    PATIENCE,
  );
  expect(await page.locator('tr[data-state="running"]').count()).toBe(0);
  expect(await row(page, 'analytics-api').getByRole('button', { name: 'Stop analytics-api' }).isDisabled()).toBe(true);
  await bus.server.restart();
  await inState(page, 'analytics-api', 'running').waitFor(PATIENCE);
  expect(complaints).toEqual([]);
});

test('on a phone nothing is wider than the screen, and the keyboard reaches the buttons', async () => {
  await using opened = await open();
  const { page } = opened;
  await row(page, 'analytics-api').waitFor(PATIENCE);
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.keyboard.press('/');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('type'))).toBe('search');
  await page.keyboard.type('analytics');
  await row(page, 'rag-api').waitFor({ state: 'detached', ...PATIENCE });
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.className)).toBe('expander');
});
