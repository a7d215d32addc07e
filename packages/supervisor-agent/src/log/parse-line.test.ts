import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ParsedLine, parseLine } from './parse-line.ts';

test.each<[string, Omit<ParsedLine, 'text'>]>([
  ['plain words', {}],
  ['INFO:     Started server process [4711]', { level: 'info' }],
  ['[ERROR] no database', { level: 'error' }],
  ['[main] [warn] low on disk', { level: 'warn' }],
  ['error: it broke', { level: 'error' }],
  ['an error: of somebody', {}],
  ['2026-03-01 12:00:00,250 WARNING root: hot', { level: 'warn' }],
  ['2026-03-01T12:00:00.250Z CRITICAL gone', { level: 'fatal', time: '2026-03-01T12:00:00.250Z' }],
  ['[2026-03-01 14:00:00.5 +0200] ready', { time: '2026-03-01T12:00:00.500Z' }],
  ['2026-03-01T12:00:00.123456789+00:00 ready', { time: '2026-03-01T12:00:00.123Z' }],
  ['ts=1 level=debug msg=hello', { level: 'debug' }],
  ['9999-99-99T99:99:99Z odd', {}],
  ['{"half": ', {}],
  ['{}', {}],
  ['[{"level":"error"}]', {}],
  ['{"level":"error","of":"no message"}', { level: 'error' }],
])('%j stays as it is, and says %j', (raw, said) => {
  expect(parseLine(raw)).toEqual({ text: raw, ...said });
});

test.each<[Record<string, unknown>, ParsedLine]>([
  [
    { level: 50, time: 1772366400250, pid: 7, msg: 'lost' },
    { text: 'lost', level: 'error', time: '2026-03-01T12:00:00.250Z', fields: { pid: 7 } },
  ],
  [
    { severity: 'WARNING', timestamp: '2026-03-01T12:00:00Z', message: 'hot' },
    { text: 'hot', level: 'warn', time: '2026-03-01T12:00:00.000Z' },
  ],
  [
    { ts: 1772366400.25, msg: 'go' },
    { text: 'go', time: '2026-03-01T12:00:00.250Z' },
  ],
  [
    { level: 'loud', msg: 'odd' },
    { text: 'odd', fields: { level: 'loud' } },
  ],
])('JSON %j', (object, parsed) => {
  expect(parseLine(JSON.stringify(object))).toEqual(parsed);
});

test('a line that is nested without end stays as it is', () => {
  const raw = `{"msg":"deep","of":${'['.repeat(7_000)}${']'.repeat(7_000)}}`;
  expect(parseLine(raw)).toEqual({ text: raw });
});

test('a line with too much in it stays as it is', () => {
  const raw = JSON.stringify({ level: 'info', msg: 'much', more: 'x'.repeat(5_000) });
  expect(parseLine(raw)).toEqual({ text: raw, level: 'info' });
});

test('any line is read, and nothing of it is lost', () => {
  const line = fc.oneof(
    fc.string(),
    fc.json(),
    fc.string().map((text) => `{${text}`),
  );
  fc.assert(
    fc.property(line, (raw) => {
      const { text, fields } = parseLine(raw);
      const isLifted = fields !== undefined || raw.startsWith('{');
      expect(isLifted ? raw : text).toBe(raw);
      expect(typeof text).toBe('string');
    }),
  );
});
