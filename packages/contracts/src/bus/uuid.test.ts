import { expect, test } from 'vitest';
import { uuidv7 } from './uuid.ts';

test('a UUID of version 7 begins with its time', () => {
  const beforeMs = Date.now();
  const id = uuidv7();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const timeMs = Number.parseInt(id.slice(0, 13).replace('-', ''), 16);
  expect(timeMs).toBeGreaterThanOrEqual(beforeMs);
  expect(timeMs).toBeLessThanOrEqual(Date.now());
});
