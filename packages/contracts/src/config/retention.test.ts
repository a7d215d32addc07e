import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDiagnostic } from './diagnostic.ts';
import { readRetention } from './retention.ts';
import { parseAge, parseSize } from './units.ts';

const DAY_SECONDS = 86_400;

test('what is written is what is changed, and nothing else', () => {
  const text = `
host: web1
bus:
  listen: 127.0.0.1:4222
  retention:
    events: { age: 90d }
    rollup_1m: { age: 7d, size: 512MiB }
    rollup_2h: { size: 10GB }
    logs: {}
`;
  expect(readRetention(text, 'agent.yaml')).toEqual({
    retention: {
      events: { maxAgeSeconds: 90 * DAY_SECONDS },
      'rollup-1m': { maxAgeSeconds: 7 * DAY_SECONDS, maxBytes: 512 * 1024 ** 2 },
      'rollup-2h': { maxBytes: 10_000_000_000 },
    },
  });
});

test.each(['', '# nothing\n', 'bus:\n', 'bus: {}\n', 'host: WEB\nenviroment: x\n'])(
  'without a retention, as in %j, nothing is changed',
  (text) => {
    expect(readRetention(text, 'agent.yaml')).toEqual({ retention: {} });
  },
);

test('all that is wrong is said at once, with its place', () => {
  const text = `bus:
  retention:
    event: { age: 90d }
    logs: 7d
    audit: { age: soon, size: 5 }
    alerts: { max_age: 1y }
    probes: { age: 30s, size: -1 }
`;
  const reading = readRetention(text, 'agent.yaml');
  const ageRule = 'write an age from 2 minutes to 100 years, such as "12h", "30d" or "1y"';
  const sizeRule = 'write a size from 1 MiB to 1 PiB, such as "512MiB" or "2GiB"';
  expect('errors' in reading && reading.errors.map(formatDiagnostic)).toEqual([
    `agent.yaml:3:5: unknown key "event" in 'bus.retention'; did you mean 'events'?`,
    `agent.yaml:4:11: 'bus.retention.logs' is "7d"; write {age: 30d, size: 2GiB}, or one of them`,
    `agent.yaml:5:19: 'bus.retention.audit.age' is "soon"; ${ageRule}`,
    `agent.yaml:5:31: 'bus.retention.audit.size' is 5; ${sizeRule}`,
    `agent.yaml:6:15: unknown key "max_age" in 'bus.retention.alerts'; did you mean 'age'?`,
    `agent.yaml:7:20: 'bus.retention.probes.age' is "30s"; ${ageRule}`,
    `agent.yaml:7:31: 'bus.retention.probes.size' is -1; ${sizeRule}`,
  ]);
});

test.each([
  ['90', 90],
  ['12h', 43_200],
  ['30 d', 30 * DAY_SECONDS],
  ['1.5y', 547.5 * DAY_SECONDS],
  ['2w', 14 * DAY_SECONDS],
  ['1 month', undefined],
  ['d', undefined],
])('the age %j is %s seconds', (text, seconds) => {
  expect(parseAge(text)).toBe(seconds);
});

test.each([
  ['1048576', 1_048_576],
  ['512MiB', 512 * 1024 ** 2],
  ['1.5 GB', 1_500_000_000],
  ['1TiB', 1024 ** 4],
  ['1gb', undefined],
  ['1e9', undefined],
])('the size %j is %s bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test('never throws, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(readRetention(text, 'agent.yaml')).toBeTypeOf('object');
    }),
  );
});
