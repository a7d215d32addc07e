import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readIfPresent, replaceFile } from './replace-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'muster-replace-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('the new text takes the place of the old one', () => {
  const file = join(directory, 'folder', 'status.json');
  expect(readIfPresent(file)).toBeUndefined();
  replaceFile(file, 'old');
  replaceFile(file, 'new', { isDurable: false });
  expect(readIfPresent(file)).toBe('new');
  expect(readdirSync(join(directory, 'folder'))).toEqual(['status.json']);
});

test('its mode is what was asked for, whatever the umask says', () => {
  const [own, group] = [join(directory, 'own'), join(directory, 'group')];
  const umask = process.umask(0o077);
  try {
    replaceFile(own, 'text');
    replaceFile(group, 'text', { mode: 0o640 });
  } finally {
    process.umask(umask);
  }
  expect([own, group].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o640]);
});

test('what fails leaves nothing beside the file', () => {
  const file = join(directory, 'taken');
  mkdirSync(file);
  expect(() => replaceFile(file, 'text')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(readdirSync(directory)).toEqual(['taken']);
});
