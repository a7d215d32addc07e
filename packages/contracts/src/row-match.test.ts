import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchRows } from './row-match.ts';
import { rows } from './rows.ts';

const of = (pattern: string) => matchRows('test', pattern).map(({ name, filter }) => [name, filter]);

test.each([
  ['alert', [['alert', {}]]],
  ['instanceEvent', [['instanceEvent', {}]]],
  ['alert.>', [['alert', {}]]],
  ['alert.critical.*.*.*', [['alert', { severity: 'critical' }]]],
  ['muster.v1.test.alert.critical.web1.>', [['alert', { severity: 'critical', host: 'web1' }]]],
  ['host.web1.event', [['hostEvent', { host: 'web1' }]]],
  [
    'service.web1.api.0.*',
    ['instanceEvent', 'instanceLog', 'instanceProbe'].map((name) => [
      name,
      { host: 'web1', service: 'api', instance: '0' },
    ]),
  ],
  ['*.*.presence', ['hostPresence', 'proberPresence', 'dashboardPresence'].map((name) => [name, {}])],
])('%s', (pattern, expected) => {
  expect(of(pattern)).toEqual(expected);
});

test('> is everything', () => {
  expect(of('>').map(([name]) => name)).toEqual(Object.keys(rows));
});

test.each([
  '',
  '.',
  'host',
  'host.',
  'nonsense.>',
  'alert.loud.>',
  'host.WEB.event',
  'host.>.event',
  'muster.v1.prod.host.>',
])('%j speaks of nothing', (pattern) => {
  expect(of(pattern)).toEqual([]);
});

test('any text is a pattern, or none', () => {
  fc.assert(
    fc.property(fc.string(), (pattern) => {
      expect(matchRows('test', pattern)).toBeInstanceOf(Array);
    }),
  );
});
