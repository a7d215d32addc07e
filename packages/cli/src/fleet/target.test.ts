import { describe, expect, test } from 'vitest';
import { formatTarget, parseTarget, resolveTarget } from './target.ts';

const known = [
  { host: 'web1', service: 'rag-api', instance: 0 },
  { host: 'web1', service: 'rag-api', instance: 1 },
  { host: 'web1', service: 'search', instance: 0 },
  { host: 'web2', service: 'search', instance: 0 },
];

describe('parseTarget', () => {
  test.each([
    ['rag-api', { service: 'rag-api' }],
    ['web1/rag-api', { host: 'web1', service: 'rag-api' }],
    ['web1/rag-api.0', { host: 'web1', service: 'rag-api', instance: 0 }],
    ['rag-api.12', { service: 'rag-api', instance: 12 }],
  ])('%s', (text, target) => {
    expect(parseTarget(text)).toEqual(target);
    expect(formatTarget(parseTarget(text))).toBe(text);
  });

  test.each([
    '',
    '/',
    'web1/',
    '/rag',
    'a/b/c',
    'rag.',
    'rag.x',
    'rag.01',
    'rag.10000',
    'Rag',
    'a b',
    'web1.0/rag',
    '*',
    '>',
  ])('%j is refused with what would do', (text) => {
    expect(() => parseTarget(text)).toThrow(
      `'${text}' is not a service: write service, host/service or host/service.0`,
    );
  });
});

describe('resolveTarget', () => {
  test('a service that one host has needs no host', () => {
    expect(resolveTarget({ service: 'rag-api' }, known)).toEqual({ service: 'rag-api', host: 'web1' });
  });

  test('an instance stays the one that was named', () => {
    expect(resolveTarget({ service: 'rag-api', instance: 1 }, known)).toEqual({
      service: 'rag-api',
      instance: 1,
      host: 'web1',
    });
  });

  test('a service of several hosts is refused, with the candidates', () => {
    expect(() => resolveTarget({ service: 'search' }, known)).toThrow(
      "'search' runs on 2 hosts: say which one: web1/search, web2/search",
    );
  });

  test.each([
    [{ service: 'nope' }, "no service 'nope' is known: known are web1/rag-api, web1/search, web2/search"],
    [{ host: 'web3', service: 'search' }, "no service 'web3/search' is known: known are web1/search, web2/search"],
    [
      { host: 'web1', service: 'rag-api', instance: 7 },
      "no service 'web1/rag-api.7' is known: its instances are web1/rag-api.0, web1/rag-api.1",
    ],
  ])('%j is unknown', (target, message) => {
    expect(() => resolveTarget(target, known)).toThrow(message);
  });

  test('an empty fleet is named as such', () => {
    expect(() => resolveTarget({ service: 'a' }, [])).toThrow(
      "no service 'a' is known: no agent has told the bus about any service yet",
    );
  });
});
