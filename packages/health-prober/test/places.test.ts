import { expect, test } from 'vitest';
import { Places } from '../src/runtime/places.ts';

test('a host has so many places; the next one waits until one is left', () => {
  const places = new Places(2);
  expect(['a', 'b', 'c', 'd'].map((key) => places.take('web1', key))).toEqual([true, true, false, false]);
  expect(places.take('web2', 'a')).toBe(true);
  expect(places.take('web1', 'a')).toBe(true);
  expect([places.isWaiting('web1', 'c'), places.isWaiting('web1', 'a')]).toEqual([true, false]);
  expect(places.leave('web1', 'c')).toBeUndefined();
  expect(places.leave('web1', 'a')).toBe('d');
  expect(places.take('web1', 'd')).toBe(true);
  expect(places.leave('web1', 'b')).toBeUndefined();
  expect(places.leave('web1', 'nobody')).toBeUndefined();
});
