import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceFile } from './atomic-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-atomic-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('the new text takes the place of the old one', () => {
  const file = path.join(directory, 'folder', 'status.json');
  replaceFile(file, 'old');
  replaceFile(file, 'new', { isDurable: true });
  expect(readFileSync(file, 'utf8')).toBe('new');
});

test('what fails leaves nothing beside the file', () => {
  const file = path.join(directory, 'taken');
  mkdirSync(file);
  expect(() => replaceFile(file, 'text')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(readdirSync(directory)).toEqual(['taken']);
});
