import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MemoryHost, type MemoryService, probed, specOf } from '../../../test/support/memory-host.ts';
import type { ToLauncher } from './launcher-link.ts';
import { StartProgress } from './start-progress.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function starting(...services: readonly MemoryService[]) {
  const told: ToLauncher[] = [];
  const progress: StartProgress[] = [];
  const host = new MemoryHost({ services, onTransition: () => progress[0]?.changed() });
  progress.push(new StartProgress(host.supervisor, (message) => told.push(message), 'http://127.0.0.1:8003'));
  const isReady = () => told.some(({ type }) => type === 'ready');
  return { host, told, isReady };
}

test('states are told together, and ready once everything is up', async () => {
  const { host, told } = starting({ spec: specOf('dashboard'), isSystem: true }, { spec: specOf('api') });
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  expect(told).toEqual([]);
  vi.advanceTimersByTime(50);
  expect(told).toEqual([
    { type: 'state', services: { dashboard: 'running', api: 'running' } },
    { type: 'ready', url: 'http://127.0.0.1:8003' },
  ]);
});

test("a service of the user's that takes long is not waited for beyond 5 s", async () => {
  const { host, isReady } = starting({ spec: specOf('dashboard'), isSystem: true }, { spec: probed('api') });
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  vi.advanceTimersByTime(50 + 4_999);
  expect(isReady()).toBe(false);
  vi.advanceTimersByTime(1);
  expect(isReady()).toBe(true);
});

test('Muster itself is waited for, however long it takes', async () => {
  const { host, told, isReady } = starting({ spec: probed('dashboard'), isSystem: true }, { spec: specOf('api') });
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  vi.advanceTimersByTime(60_000);
  expect(isReady()).toBe(false);
  await host.find('dashboard', { type: 'ready' });
  vi.advanceTimersByTime(50);
  expect(isReady()).toBe(true);
  await host.find('dashboard', { type: 'not-ready', reason: 'blind' });
  await host.find('dashboard', { type: 'ready' });
  vi.advanceTimersByTime(60_000);
  expect(told.filter(({ type }) => type === 'ready')).toHaveLength(1);
});

test('what cannot start here is no reason to wait', async () => {
  const { host, isReady } = starting(
    { spec: specOf('dashboard'), isSystem: true },
    { spec: specOf('image'), driverLack: "no driver for 'docker' in this version" },
  );
  using _ = host;
  await host.supervisor.begin([]);
  await host.settled();
  vi.advanceTimersByTime(50);
  expect(isReady()).toBe(true);
});
