import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const rootDir = fileURLToPath(new URL('..', import.meta.url));

test('every place that CONTRIBUTING.md sends somebody to is there', () => {
  const text = readFileSync(join(rootDir, 'CONTRIBUTING.md'), 'utf8').replace(/^```.*?^```/gms, '');
  const places = [...text.matchAll(/`([\w.-]+(?:\/[\w.-]+)+)`/g)].flatMap(([, place]) => place ?? []);
  expect(places.length).toBeGreaterThan(50);
  const isThere = (place: string): boolean => ['packages', '.'].some((dir) => existsSync(join(rootDir, dir, place)));
  expect(places.filter((place) => !isThere(place))).toEqual([]);
});
