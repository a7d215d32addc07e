/* What contracts reads from outside beside messages: credentials, subjects, the journal of an outbox. None of it throws. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rows } from '@muster/contracts';
import { notGranted, readCredentialClaims } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { KeyFileError, mintKeys } from '@muster/contracts/keys';
import { temporaryDirectory } from '@muster/testkit';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesFilter } from '../src/bus/matches-filter.ts';
import { OutboxJournal } from '../src/bus/outbox-journal.ts';
import { parseSubject } from '../src/subject.ts';

const IDENTITY = { role: 'observer', id: 'alerts' } as const;

/** A text with a few places spoilt. */
function spoiltTexts(text: string): fc.Arbitrary<string> {
  const place = fc.record({
    at: fc.nat({ max: text.length }),
    remove: fc.nat({ max: 40 }),
    insert: fc.string({ maxLength: 8 }),
  });
  return fc
    .array(place, { minLength: 1, maxLength: 3 })
    .map((places) =>
      places.reduce((spoilt, { at, remove, insert }) => spoilt.slice(0, at) + insert + spoilt.slice(at + remove), text),
    );
}

test('credentials: claims or none; a file that cannot be read is named and left as it is', async () => {
  await using home = await temporaryDirectory();
  const options = { directory: home.path, environment: 'test', identities: [IDENTITY] };
  await mintKeys(options);
  const file = credentialsFile(home.path, IDENTITY);
  const text = await readFile(file, 'utf8');
  expect(readCredentialClaims(text)).toMatchObject({ name: 'observer/alerts', ...IDENTITY });
  fc.assert(
    fc.property(spoiltTexts(text), (spoilt) => {
      expect(typeof (readCredentialClaims(spoilt)?.name ?? '')).toBe('string');
    }),
    { numRuns: 1_000 },
  );
  await fc.assert(
    fc.asyncProperty(spoiltTexts(text), async (spoilt) => {
      await writeFile(file, spoilt);
      const refusal = await mintKeys(options).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const isTold = refusal instanceof KeyFileError && refusal.message.includes(file);
      const isUntouched = (await readFile(file, 'utf8')) === spoilt;
      expect(refusal === undefined || (isTold && isUntouched)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('subjects and patterns: any text is parsed or refused', () => {
  const token = fc.oneof(
    fc.constantFrom('*', '>', '', '_', '0', '-1', 'web1', 'alert', 'muster', 'v1', 'test'),
    fc.string(),
  );
  const subject = fc.array(token, { maxLength: 10 }).map((tokens) => tokens.join('.'));
  fc.assert(
    fc.property(subject, subject, (one, other) => {
      for (const { template } of Object.values(rows)) {
        const params = parseSubject('test', template, one);
        expect(params === undefined || Object.keys(params).length > 0).toBe(true);
      }
      expect(typeof matchesFilter(one, other)).toBe('boolean');
      expect(notGranted([one], [one, other]).length).toBeLessThanOrEqual(2);
    }),
    { numRuns: 500 },
  );
});

test('an outbox journal: what is spoilt is skipped, what is whole is kept', async () => {
  const lines = [
    { message: 1, subject: 'muster.v1.test.host.web1.event', id: 'a', payload: { id: 'a' } },
    { attempt: 1, last: 0 },
    { message: 2, subject: 'muster.v1.test.host.web1.event', id: 'b', payload: { id: 'b' } },
    { subject: 'muster.v1.test.host.web1.audit', last: 7 },
    { counted: 2 },
  ];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await using home = await temporaryDirectory();
  const deep = `{"message":3,"subject":"a","id":"c","payload":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}\n`;
  await fc.assert(
    fc.asyncProperty(fc.oneof(spoiltTexts(text), fc.string(), fc.constant(text + deep)), async (spoilt) => {
      const directory = await mkdtemp(join(home.path, 'outbox-'));
      await writeFile(join(directory, 'journal-0000000001.jsonl'), spoilt);
      const { journal, contents } = OutboxJournal.open(directory, (error) => {
        throw error;
      });
      journal.close();
      for (const { number, subject, payload } of contents.entries) {
        expect(number).toBeGreaterThanOrEqual(0);
        expect(subject).not.toBe('');
        expect(JSON.parse(payload)).toBeTypeOf('object');
      }
    }),
    { numRuns: 200 },
  );
});
