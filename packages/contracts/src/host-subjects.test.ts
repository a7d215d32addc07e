import { expect, test } from 'vitest';
import { hostStores, meteredSender, monitorStores } from './host-subjects.ts';

test.each([
  ['muster.v1.test.host.web1.audit', 'agent/web1'],
  ['muster.v1.test.service.web1.api.0.log', 'agent/web1'],
  ['$KV.muster_test_status.web1.api.0', 'agent/web1'],
  ['muster.v1.test.monitor.sonde.probe.web1.api.0', 'monitor/sonde'],
  ['muster.v1.test.monitor.sonde.rollup.1m', 'monitor/sonde'],
  ['muster.v1.test.prober.main.event', undefined],
  ['muster.v1.test.health.web1.api.0', undefined],
  ['$KV.muster_test_health.web1.api.0', undefined],
  ['muster.v1.test.bus.event', undefined],
])('what is stored on %s is charged to %s', (subject, sender) => {
  expect(meteredSender('test', subject)).toBe(sender);
});

test('wherever a monitor may write it is looked for', () => {
  const looked = hostStores('test').map(({ stream }) => stream);
  expect(looked).toEqual(expect.arrayContaining(monitorStores('test').map(({ stream }) => stream)));
});
