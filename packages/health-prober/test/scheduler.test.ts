import { eventually } from '@muster/testkit';
import { afterEach, expect, test } from 'vitest';
import { Scheduler, type Task } from '../src/runtime/scheduler.ts';

let scheduler: Scheduler | undefined;
afterEach(() => scheduler?.stop());

/** Tasks whose probes end when they are told to. */
class Probes {
  readonly started: string[] = [];
  readonly skipped: string[] = [];
  readonly #ends = new Map<string, () => void>();
  running = 0;
  most = 0;

  task(key: string, host = 'web1'): Task {
    return {
      key,
      host,
      run: async (signal) => {
        this.started.push(key);
        this.running += 1;
        this.most = Math.max(this.most, this.running);
        await new Promise<void>((resolve) => {
          this.#ends.set(key, resolve);
          signal.addEventListener('abort', () => resolve());
        });
        this.running -= 1;
        return { isSoft: false };
      },
      skip: () => this.skipped.push(key),
    };
  }

  end(key: string): void {
    this.#ends.get(key)?.();
  }
}

test('never more at once than the caps allow, in all and to one host; what waits starts when there is room', async () => {
  // So long that nobody's second turn comes while the test lasts.
  scheduler = new Scheduler({ intervalMs: 1_000_000_000, retryMs: 10 }, { total: 3, perHost: 2 });
  const probes = new Probes();
  for (const key of ['a', 'b', 'c', 'd']) scheduler.set(probes.task(key, 'web1'));
  await eventually(() => probes.started.length === 2);
  for (const key of ['e', 'f']) scheduler.set(probes.task(key, 'web2'));
  await eventually(() => probes.started.length === 3);
  expect(probes.running).toBe(3);
  for (let ended = 0; ended < 6; ended += 1) {
    const key = await eventually(() => probes.started[ended]);
    probes.end(key);
  }
  expect([...probes.started].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  expect(probes.most).toBe(3);
});

test('hosts that wait for room take turns, however much one of them waits for', async () => {
  scheduler = new Scheduler({ intervalMs: 1_000_000_000, retryMs: 10 }, { total: 2, perHost: 2 });
  const probes = new Probes();
  const invented = Array.from({ length: 2_000 }, (_, i) => `thief${i}`);
  for (const key of invented) scheduler.set(probes.task(key, 'thief'));
  await eventually(() => probes.started.length === 2);
  for (const key of ['a', 'b', 'c']) scheduler.set(probes.task(key, 'web1'));
  await eventually(() => scheduler?.waiting === 2_001);
  for (let ended = 0; ended < 8; ended += 1) {
    const key = await eventually(() => probes.started[ended]);
    probes.end(key);
  }
  expect(probes.started.slice(0, 8)).toEqual(expect.arrayContaining(['a', 'b', 'c']));
});

test('what could not start within half its interval is skipped', async () => {
  scheduler = new Scheduler({ intervalMs: 200, retryMs: 10 }, { total: 1, perHost: 1 });
  const probes = new Probes();
  scheduler.set(probes.task('slow'));
  await eventually(() => probes.started.length === 1);
  scheduler.set(probes.task('waiting'));
  // Room comes long after the turn of the one that waits.
  const freedAtMs = performance.now() + 500;
  await eventually(() => performance.now() > freedAtMs);
  probes.end('slow');
  await eventually(() => probes.skipped.includes('waiting'));
  // On a busy machine the slow one may miss its next turn as well.
  expect(probes.skipped).toContain('waiting');
});

test('a task that is removed or replaced is given up and never started again', async () => {
  scheduler = new Scheduler({ intervalMs: 20, retryMs: 10 }, { total: 10, perHost: 10 });
  const old = new Probes();
  scheduler.set(old.task('api'));
  await eventually(() => old.running === 1);
  const replacement = new Probes();
  scheduler.set(replacement.task('api'));
  await eventually(() => old.running === 0 && replacement.running === 1);
  scheduler.remove('api');
  await eventually(() => replacement.running === 0);
  expect(scheduler.size).toBe(0);
  expect(scheduler.probeNow('api')).toBe(false);
  expect(old.started).toEqual(['api']);
});
