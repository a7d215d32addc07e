import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AgentIdError, readIdentity } from './agent-identity.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-identity-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const saved = (name: string): string => readFileSync(path.join(directory, name), 'utf8').trim();

test('the id stays, the epoch grows', () => {
  const first = readIdentity(directory, undefined);
  const second = readIdentity(directory, undefined);
  expect(second.agentId).toBe(first.agentId);
  expect(second.epoch).toBeGreaterThan(first.epoch);
});

test.each(['', '\0\0\0\0', 'NOT AN ID', 'ab'])(
  'a spoilt id file (%j) is mended by what the last agent said',
  (text) => {
    writeFileSync(path.join(directory, 'agent-id'), text);
    expect(readIdentity(directory, '0123456789abcdef').agentId).toBe('0123456789abcdef');
    expect(saved('agent-id')).toBe('0123456789abcdef');
  },
);

test('a lost id file is, too', () => {
  expect(readIdentity(directory, '0123456789abcdef').agentId).toBe('0123456789abcdef');
});

test('when nobody knows the id, none is made up: what still runs would be started twice', () => {
  writeFileSync(path.join(directory, 'agent-id'), '');
  expect(() => readIdentity(directory, undefined)).toThrow(AgentIdError);
});

test.each(['', 'x', '-5', '1e400', String(Number.MAX_SAFE_INTEGER)])('a spoilt epoch (%j) is no epoch', (text) => {
  writeFileSync(path.join(directory, 'epoch'), text);
  const { epoch } = readIdentity(directory, undefined);
  expect(Number.isSafeInteger(epoch)).toBe(true);
  expect(readIdentity(directory, undefined).epoch).toBeGreaterThan(epoch);
});
