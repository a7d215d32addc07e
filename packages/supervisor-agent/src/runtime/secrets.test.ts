import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REDACTED } from '@muster/contracts';
import { specHash } from '@muster/contracts/config';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { specOf } from '../../test/support/memory-host.ts';
import { Envelopes } from '../bus/envelopes.ts';
import { readHashKey } from '../state/hash-key.ts';
import { specEntryOf } from './report/spec-entry.ts';
import { Secrets } from './secrets.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'muster-secrets-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const neverAsked = (error: unknown) => {
  throw error;
};

test('a service hides its own values, the host those of all, also after they have changed', () => {
  const secrets = new Secrets();
  secrets.note('api', { GREETING: 'open sesame' });
  secrets.note('web', { OTHER: 'something else' });
  expect(secrets.hide('open sesame, something else', 'api')).toBe(`${REDACTED}, something else`);
  expect(secrets.hide('open sesame, something else')).toBe(`${REDACTED}, ${REDACTED}`);
  secrets.note('api', { GREETING: 'a new word' });
  expect(secrets.hide('open sesame, a new word', 'api')).toBe(`${REDACTED}, ${REDACTED}`);
});

test('a log loses only what is certainly secret', () => {
  const secrets = new Secrets();
  const mask = secrets.maskOf('api');
  expect(mask('nothing is known yet')).toBe('nothing is known yet');
  secrets.note('api', { MODEL: 'llama3-8b', API_KEY: 'Hunter2', DB: 'postgres://bob:pw@db/app' });
  expect(mask('llama3-8b Hunter2 postgres://bob:pw@db/app')).toBe(`llama3-8b ${REDACTED} ${REDACTED}`);
});

test('the published hash is not the one that can be made from the configuration, and the same at each start', () => {
  const spec = specOf('api', { environment: { PIN: '1234' } });
  const published = () =>
    specEntryOf(spec, false, 'web1', new Envelopes('web1', 1), {
      secrets: new Secrets(),
      hashKey: readHashKey(stateDir, neverAsked),
    }).specHash;
  const first = published();
  expect(first).not.toBe(specHash(spec));
  expect(published()).toBe(first);
  const file = path.join(stateDir, 'host-key');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  for (const spoilt of ['', 'nonsense', `${readFileSync(file, 'utf8').trim()}0`]) {
    writeFileSync(file, spoilt);
    const next = published();
    expect(next).not.toBe(specHash(spec));
    expect(published(), 'made anew once').toBe(next);
  }
});

test('where the key cannot be kept, one holds as long as the agent runs', () => {
  mkdirSync(path.join(stateDir, 'host-key'));
  const problems: unknown[] = [];
  const key = readHashKey(stateDir, (problem) => problems.push(problem));
  expect(problems.length).toBeGreaterThan(0);
  expect(key.seal('x')).toBe(key.seal('x'));
  expect(key.seal('x')).not.toBe(readHashKey(stateDir, () => {}).seal('x'));
});
