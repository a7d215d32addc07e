import type { AlertData } from '@muster/contracts';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cloudEvent, nameOf, type Observation, observe, observeOnce, remember, type Sample } from './alert.ts';

const TIME = '2026-01-01T00:00:00Z';

function seen(isOn: boolean, change: Partial<Observation> = {}): Observation {
  return {
    rule: 'failed',
    subject: { host: 'web1', service: 'api', instance: 0, generation: 1 },
    isOn,
    summary: isOn ? 'api on web1 has failed' : 'api on web1 is no longer failed',
    reason: 'restart budget spent',
    causes: ['e1'],
    value: 'failed',
    ...change,
  };
}

const ofInstance = (instance: number) => ({ subject: { host: 'web1', service: 'api', instance, generation: 1 } });

test('firing and resolved alternate, beginning with firing, whatever is observed in whatever order', () => {
  const observations = fc.array(fc.record({ isOn: fc.boolean(), instance: fc.nat(3) }), { maxLength: 60 });
  fc.assert(
    fc.property(observations, (all) => {
      let alert: AlertData | undefined;
      const told: string[] = [];
      const on = new Set<number>();
      for (const { isOn, instance } of all) {
        const transition = observe(alert, seen(isOn, ofInstance(instance)), [], TIME);
        alert = transition.alert;
        if (transition.isNews) told.push(alert?.state ?? 'none');
        if (isOn) on.add(instance);
        else on.delete(instance);
        expect(alert?.state === 'firing').toBe(on.size > 0);
      }
      expect(told).toEqual(told.map((_, i) => (i % 2 === 0 ? 'firing' : 'resolved')));
    }),
  );
});

describe('one alert', () => {
  const firing = observe(undefined, seen(true), [{ time: TIME, value: 'running' }], TIME);

  test('fires with all that a late subscriber needs', () => {
    expect(firing).toEqual({
      isNews: true,
      alert: {
        state: 'firing',
        severity: 'critical',
        host: 'web1',
        service: 'api',
        rule: 'failed',
        fingerprint: 'web1/api/failed',
        summary: 'api on web1 has failed',
        reason: 'restart budget spent',
        startsAt: TIME,
        instances: [0],
        generation: 1,
        causes: ['e1'],
        history: [{ time: TIME, value: 'running' }],
        labels: {},
      },
    });
  });

  test('is resolved with the reason of its end, and remembers its beginning', () => {
    const later = '2026-01-01T00:10:00Z';
    const over = seen(false, { reason: 'asked to stop', causes: ['e2'] });
    const { alert } = observe(firing.alert, over, [], later);
    expect(alert).toMatchObject({ state: 'resolved', reason: 'asked to stop', causes: ['e1', 'e2'] });
    expect(alert).toMatchObject({ startsAt: TIME, endsAt: later });
  });

  test('of two instances is over when the last of them is', () => {
    const both = observe(firing.alert, seen(true, ofInstance(1)), [], TIME);
    expect(both).toMatchObject({ isNews: false, alert: { instances: [0, 1] } });
    const one = observe(both.alert, seen(false, ofInstance(0)), [], TIME);
    expect(one).toMatchObject({ isNews: false, alert: { state: 'firing', instances: [1] } });
    expect(observe(one.alert, seen(false, ofInstance(1)), [], TIME)).toMatchObject({ isNews: true });
  });

  test('travels as a CloudEvent', () => {
    const event = cloudEvent(firing.alert as AlertData, {
      id: 'a1',
      source: 'prober/main',
      time: TIME,
      epoch: 1,
      seq: 2,
    });
    expect(event).toMatchObject({ specversion: '1.0', type: 'io.muster.alert.firing', subject: 'web1/api/failed' });
  });
});

test('what was over when it became known is told as resolved', () => {
  const alert = observeOnce(seen(true, { rule: 'restarted' }), [], '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z');
  expect(alert).toMatchObject({ state: 'resolved', severity: 'info', endsAt: '2026-01-01T00:00:01Z' });
});

test('the last 15 values are kept, oldest first', () => {
  let history: readonly Sample[] = [];
  for (let value = 0; value < 40; value += 1) history = remember(history, value, TIME);
  expect(history.map(({ value }) => value)).toEqual(Array.from({ length: 15 }, (_, i) => 25 + i));
});

test.each([
  [{ host: 'web1', service: 'api', instance: 0 }, 'api on web1'],
  [{ host: 'web1', service: 'api', instance: 2 }, 'api/2 on web1'],
  [{ host: 'web1', service: '_' }, 'host web1'],
])('%o is called %s', (subject, name) => {
  expect(nameOf(subject)).toBe(name);
});
