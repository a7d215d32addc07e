import type { ProbeSpec } from '@muster/contracts/config';
import type { ProbeResult } from '@muster/probes';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ProbeFinding, ProbeRunner } from './probe-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const phases = { resolveMs: 0, connectMs: 0, tlsMs: 0, processingMs: 0, transferMs: 0 };
const up: ProbeResult = { status: 'up', durationMs: 1, phases };
const timedOut: ProbeResult = {
  status: 'down',
  reason: 'timeout',
  detail: 'no answer within 1 s',
  durationMs: 1_000,
  phases,
};

const check = { kind: 'http', url: 'http://localhost:8001/api/health' } as const;
const steady: ProbeSpec = {
  check,
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 1_000,
  successThreshold: 1,
  failureThreshold: 3,
};
const startup: ProbeSpec = { ...steady, periodMs: 1_000, failureThreshold: 5 };

/** A target that answers as told; what the runner finds and how often it asks. */
function runnerOf(probes: ConstructorParameters<typeof ProbeRunner>[0]['probes']) {
  const target: { answer: ProbeResult; asked: number } = { answer: up, asked: 0 };
  const findings: ProbeFinding[] = [];
  const runner = new ProbeRunner({
    probes,
    ask: async () => {
      target.asked += 1;
      return target.answer;
    },
    onFinding: (finding) => findings.push(finding),
    onResult: () => {},
  });
  return { target, findings, runner };
}

test('readiness waits for startup, and startup is asked soon again', async () => {
  const { target, findings, runner } = runnerOf({ startup, readiness: steady });
  target.answer = timedOut;
  runner.start('startup');
  await vi.advanceTimersByTimeAsync(400);
  expect(findings).toEqual([]);
  expect(target.asked).toBeGreaterThan(2);
  target.answer = up;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(findings).toEqual([{ type: 'startup-passed' }, { type: 'ready' }]);
});

test('a startup that never answers fails after period × threshold, a timeout is never success', async () => {
  const { target, findings, runner } = runnerOf({ startup, readiness: steady });
  target.answer = timedOut;
  runner.start('startup');
  await vi.advanceTimersByTimeAsync(4_500);
  expect(findings).toEqual([]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(findings).toEqual([
    {
      type: 'startup-failed',
      reason: 'startup probe of http://localhost:8001/api/health failed: timeout, no answer within 1 s',
    },
  ]);
});

test('one question for readiness and liveness: three failures turn both, one success turns readiness back', async () => {
  const { target, findings, runner } = runnerOf({ readiness: steady, liveness: steady });
  runner.start('readiness');
  await vi.advanceTimersByTimeAsync(0);
  target.answer = timedOut;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(findings).toEqual([{ type: 'ready' }]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(findings.slice(1).map(({ type }) => type)).toEqual(['not-ready', 'liveness-failed']);
  expect(target.asked).toBe(4);
  target.answer = up;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(findings.at(-1)).toEqual({ type: 'ready' });
});

test('liveness says nothing of a run that has never answered', async () => {
  const { target, findings, runner } = runnerOf({ liveness: steady });
  target.answer = timedOut;
  runner.start('readiness');
  await vi.advanceTimersByTimeAsync(120_000);
  expect(findings).toEqual([]);
});

test('liveness is said again while it lasts: permission may have been refused', async () => {
  const { target, findings, runner } = runnerOf({ liveness: steady });
  runner.start('readiness');
  await vi.advanceTimersByTimeAsync(0);
  target.answer = timedOut;
  await vi.advanceTimersByTimeAsync(50_000);
  expect(findings.map(({ type }) => type)).toEqual(['liveness-failed', 'liveness-failed', 'liveness-failed']);
});

test('after it is disposed of it asks nothing and finds nothing', async () => {
  const { target, findings, runner } = runnerOf({ startup, readiness: steady });
  runner.start('startup');
  runner[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([target.asked, findings]).toEqual([0, []]);
});
