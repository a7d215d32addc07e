import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch, diff } from './merge-patch.ts';

/** Page data: objects of objects, without null outside arrays. */
const { tree } = fc.letrec((tie) => ({
  tree: fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 5 }),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.array(fc.option(fc.integer()), { maxLength: 3 }),
    tie('tree'),
  ),
}));
const page = tree as fc.Arbitrary<object>;

test('a page and its difference to another make the other', () => {
  fc.assert(
    fc.property(page, page, (before, after) => {
      const patch = diff(before, after);
      const wire: unknown = patch === undefined ? {} : JSON.parse(JSON.stringify(patch));
      expect(applyPatch(before, wire as object as NonNullable<typeof patch>)).toEqual(after);
    }),
  );
});

test('equal pages have no difference, whether they are the same objects or not', () => {
  fc.assert(
    fc.property(page, (one) => {
      expect(diff(one, one)).toBeUndefined();
      expect(diff(one, structuredClone(one))).toBeUndefined();
    }),
  );
});

test('what the patch leaves alone stays the same object', () => {
  const before = { a: { x: 1 }, b: { y: 2 } };
  const after = applyPatch(before, { b: { y: 3 } });
  expect(after).toEqual({ a: { x: 1 }, b: { y: 3 } });
  expect(after.a).toBe(before.a);
});

test('a key named __proto__ is a key, and changes no prototype', () => {
  const evil = JSON.parse('{"__proto__": {"isAdmin": true}}') as object;
  const patch = diff({}, evil);
  const result = applyPatch({}, patch ?? {});
  expect(Object.keys(result)).toEqual(['__proto__']);
  expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
});
