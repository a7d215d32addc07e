import { expect, test } from 'vitest';
import { isAcknowledgement } from './acknowledgement.ts';
import { shareOut } from './share-out.ts';

const KIB = 1024;
const messages = (identity: string | undefined, count: number, bytes: number) =>
  Array.from({ length: count }, () => ({ identity, bytes }));

test('one large message that was drawn among many small ones convicts nobody', () => {
  const drawn = [...messages('agent/web1', 23, 300), ...messages('agent/db1', 1, 256 * KIB)];
  const shares = shareOut(drawn, { messages: 2_400, bytes: 1_000 * KIB });
  expect(shares.map(({ identity }) => identity)).toEqual(['agent/web1']);
});

test('two of them are never taken for more than has come', () => {
  const drawn = [...messages('agent/web1', 22, 300), ...messages('agent/db1', 2, 256 * KIB)];
  const shares = shareOut(drawn, { messages: 24_000, bytes: 8_000 * KIB });
  expect(shares.reduce((sum, { bytes }) => sum + bytes, 0)).toBeCloseTo(8_000 * KIB);
  expect(shares.find(({ identity }) => identity === 'agent/db1')?.messages).toBe(2_000);
});

test("who floods has most of it, and what is nobody's is nobody's", () => {
  const drawn = [...messages('agent/web2', 12, 15_000), ...messages(undefined, 12, 15_000)];
  expect(shareOut(drawn, { messages: 2_000, bytes: 30_000_000 })).toEqual([
    { identity: 'agent/web2', messages: 1_000, bytes: 15_000_000 },
  ]);
});

test.each([
  ['{"stream":"MUSTER_TEST_EVENTS","seq":17}', true],
  ['{"stream":"MUSTER_TEST_EVENTS","domain":"hub","seq":17,"duplicate": true}', true],
  ['{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"X","seq":0}', true],
  ['{"id":"1","stream":"X","seq":17}', false],
  [`{"stream":"${'x'.repeat(1_000)}","seq":17}`, false],
  ['{}', false],
  ['17', false],
  ['xxxx', false],
])('is %s what a server answers to a publish? %s', (body, expected) => {
  expect(isAcknowledgement(new TextEncoder().encode(body))).toBe(expected);
});
