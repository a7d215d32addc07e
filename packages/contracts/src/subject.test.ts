import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildFilter, buildSubject, commands, InvalidTokenError, parseSubject, proberCommands, rows } from './index.ts';
import { SEVERITIES } from './messages/alert.ts';

const TEMPLATES = [rows, commands, proberCommands].flatMap((table) => Object.values(table).map((row) => row.template));

const id = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,62}$/);
const values: Record<string, fc.Arbitrary<string | number>> = {
  instance: fc.oneof(fc.integer({ min: 0, max: 9_999 }), fc.constant('_')),
  service: fc.oneof(id, fc.constant('_')),
  severity: fc.constantFrom(...SEVERITIES),
};

function paramNames(template: string): string[] {
  return [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
}

function paramsOf(template: string): fc.Arbitrary<Record<string, string | number>> {
  return fc.record(Object.fromEntries(paramNames(template).map((name) => [name, values[name] ?? id])));
}

/** As somebody builds a subject who checks nothing. */
function fillUnchecked(template: string, params: Record<string, string | number>): string {
  return `muster.v1.test.${template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => String(params[name]))}`;
}

describe.each(TEMPLATES)('%s', (template: string) => {
  test('what was built is read back', () => {
    fc.assert(
      fc.property(id, paramsOf(template), (env, params) => {
        const subject = buildSubject(env, template, params);
        expect(parseSubject(env, template, subject)).toEqual(params);
        expect(parseSubject(`${env.slice(0, 60)}-x`, template, subject)).toBeUndefined();
      }),
    );
  });
});

describe.each(TEMPLATES.filter((template) => paramNames(template).length > 0))('%s', (template: string) => {
  test('a hostile token builds nothing, and is not read', () => {
    const hostile = fc.oneof(
      fc.constantFrom(
        '',
        '*',
        '>',
        'a.b',
        'a b',
        'a*',
        '.',
        '..',
        'A',
        'ä',
        '-a',
        '_INBOX',
        'a\r\nPUB x 0',
        'a'.repeat(64),
      ),
      fc.string().filter((text) => !/^[a-z0-9_][a-z0-9_-]*$/.test(text)),
    );
    fc.assert(
      fc.property(paramsOf(template), hostile, fc.nat(), (params, token, at) => {
        const names = paramNames(template);
        const name = names[at % names.length] ?? '';
        expect(() => buildSubject('test', template, { ...params, [name]: token })).toThrow(InvalidTokenError);
        expect(() => buildFilter('test', template, { ...params, [name]: token })).toThrow(InvalidTokenError);
        const spoilt = fillUnchecked(template, { ...params, [name]: token });
        expect(parseSubject('test', template, spoilt)).toBeUndefined();
      }),
    );
  });
});

test('no two rows share a subject', () => {
  const filters = TEMPLATES.map((template: string) => buildFilter('test', template));
  expect(new Set(filters).size).toBe(filters.length);
});

test('an environment is one token too', () => {
  expect(() => buildSubject('a.b', 'host.{host}.event', { host: 'web1' })).toThrow("'a.b' is not a valid environment");
});
