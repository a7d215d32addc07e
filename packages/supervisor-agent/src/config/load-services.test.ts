import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadServices } from './load-services.ts';

let stateDir: string;
let file: string;
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'muster-load-'));
  file = path.join(stateDir, 'services.yaml');
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const GOOD = 'services:\n  - name: api\n    command: sleep 1000\n';
const BROKEN = `${GOOD}    port: many\n`;

function load(isResuming: boolean) {
  return loadServices({ file, stateDir, host: 'web1', reserved: [{ name: 'dashboard', port: 8003 }], isResuming });
}

const namesOf = (loading: ReturnType<typeof load>) =>
  'services' in loading ? loading.services.map(({ name }) => name) : undefined;

test('an absent file names no services', () => {
  expect(load(false)).toMatchObject({ services: [], warnings: [], refused: [] });
});

test('a good file is in force, and kept for a day when it is not', () => {
  writeFileSync(file, GOOD);
  expect(namesOf(load(false))).toEqual(['api']);
  expect(readFileSync(path.join(stateDir, 'services.last-good.yaml'), 'utf8')).toBe(GOOD);
});

test('a broken file is refused when nothing can be running', () => {
  writeFileSync(file, GOOD);
  load(false);
  writeFileSync(file, BROKEN);
  const loading = load(false);
  expect(namesOf(loading)).toBeUndefined();
  expect('errors' in loading && loading.errors[0]).toMatchObject({ file, line: 4 });
});

test('while services may be running the last good file stays in force, and the errors are told', () => {
  writeFileSync(file, GOOD);
  load(false);
  writeFileSync(file, BROKEN);
  const loading = load(true);
  expect(namesOf(loading)).toEqual(['api']);
  expect('services' in loading && loading.refused[0]).toMatchObject({ file, line: 4 });
  expect(readFileSync(path.join(stateDir, 'services.last-good.yaml'), 'utf8')).toBe(GOOD);
});

test('without a last good file, or with one that will not do any more, a broken file is refused all the same', () => {
  writeFileSync(file, BROKEN);
  expect(namesOf(load(true))).toBeUndefined();
  expect(existsSync(path.join(stateDir, 'services.last-good.yaml'))).toBe(false);
  writeFileSync(path.join(stateDir, 'services.last-good.yaml'), GOOD.replace('api', 'dashboard'));
  expect(namesOf(load(true))).toBeUndefined();
});
