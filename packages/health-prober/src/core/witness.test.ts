import { expect, test } from 'vitest';
import { addWitness, compareWitnesses, type Witness } from './witness.ts';

const witness = (seq: number, storedAt = `t${seq}`): Witness => ({ seq, storedAt, notedAtMs: seq * 1_000 });

test.each([
  { what: 'all of it is there', holds: [1, 2, 3, 4], first: 1, expected: { hasGoneBack: false, keptUpTo: 3 } },
  { what: 'it ends before', holds: [1, 2], first: 1, expected: { hasGoneBack: true, keptUpTo: 2 } },
  { what: 'it is empty', holds: [], first: 1, expected: { hasGoneBack: true } },
  { what: 'it has dropped its oldest', holds: [3, 4], first: 3, expected: { hasGoneBack: false, keptUpTo: 3 } },
  { what: 'it has dropped all that is known', holds: [7], first: 7, expected: { hasGoneBack: false } },
  { what: 'one of them was deleted', holds: [1, 2, 4], first: 1, expected: { hasGoneBack: false, keptUpTo: 2 } },
])('$what', async ({ holds, first, expected }) => {
  const lastSeq = holds.at(-1) ?? 0;
  const storedAt = async (seq: number) => (holds.includes(seq) ? `t${seq}` : undefined);
  const stream = { firstSeq: first, lastSeq };
  expect(
    await compareWitnesses(
      [1, 2, 3].map((seq) => witness(seq)),
      stream,
      storedAt,
    ),
  ).toEqual(expected);
});

test('the same numbers, handed out a second time, are others', async () => {
  const storedAt = async (seq: number) => (seq <= 1 ? `t${seq}` : `later ${seq}`);
  const standing = await compareWitnesses(
    [1, 2, 3].map((seq) => witness(seq)),
    { firstSeq: 1, lastSeq: 9 },
    storedAt,
  );
  expect(standing).toEqual({ hasGoneBack: true, keptUpTo: 1 });
});

test('a day of witnesses are few, the newest close together', () => {
  let witnesses: readonly Witness[] = [];
  const count = 2 * 24 * 720;
  for (let seq = 1; seq <= count; seq += 1) {
    witnesses = addWitness(witnesses, { seq, storedAt: '', notedAtMs: seq * 5_000 });
  }
  expect(witnesses.length).toBeGreaterThan(40);
  expect(witnesses.length).toBeLessThan(100);
  expect(witnesses.at(-1)?.seq).toBe(count);
  expect(witnesses.at(-2)?.seq).toBe(count - 1);
  expect(count - (witnesses[0]?.seq ?? 0)).toBeLessThanOrEqual(24 * 720);
  expect(count - (witnesses[0]?.seq ?? 0)).toBeGreaterThan(20 * 720);
});
