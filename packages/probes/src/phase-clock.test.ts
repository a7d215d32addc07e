import { expect, test } from 'vitest';
import { PhaseClock } from './phase-clock.ts';

test('the phases add up, and steps that did not happen take no time', () => {
  const clock = new PhaseClock();
  expect(clock.step).toBe('resolve');
  clock.ended('connect');
  expect(clock.step).toBe('tls');
  clock.ended('processing');
  const { durationMs, phases } = clock.measure();
  expect(phases.resolveMs).toBe(0);
  expect(phases.tlsMs).toBe(0);
  expect(phases.connectMs + phases.processingMs + phases.transferMs).toBeCloseTo(durationMs, 6);
});

test('a step ends once', () => {
  const clock = new PhaseClock();
  clock.ended('resolve');
  clock.ended('resolve');
  expect(clock.step).toBe('connect');
});
