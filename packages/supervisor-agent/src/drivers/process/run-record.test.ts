import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { exitOf, formatRunLines, parseRunRecord } from './run-record.ts';

const logFiles = { stdout: '/state/a log', stderr: '/state/b log' };
const whole = [
  formatRunLines({ bootId: 'boot', generation: 3, port: 8001, specHash: 'sha 256/=', logFiles }),
  '\nshim 10 100 .\n',
  '\nready 11 101 .\n',
  '\ngo 5000 .\n',
  '\nexit 137 .\n',
];
const parsed = {
  bootId: 'boot',
  generation: 3,
  port: 8001,
  specHash: 'sha 256/=',
  logFiles,
  shim: { pid: 10, startTimeTicks: 100 },
  main: { pid: 11, startTimeTicks: 101 },
  startedAtMs: 5000,
  exitStatus: 137,
};

test('a whole journal', () => {
  expect(parseRunRecord(whole.join(''))).toEqual(parsed);
});

test('a torn end is no record: never `exit 13` for `exit 137`', () => {
  const text = whole.join('');
  for (let length = 0; length < text.length; length += 1) {
    const record = parseRunRecord(text.slice(0, length));
    expect(parsed).toMatchObject(record);
    expect(record.exitStatus).toBeUndefined();
  }
});

test('a torn record in the middle costs only itself', () => {
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(40), (index, length) => {
      const torn = whole[index]?.slice(0, length) ?? '';
      expect(parseRunRecord([...whole.slice(0, index), torn, ...whole.slice(index)].join(''))).toEqual(parsed);
    }),
  );
});

test('garbage is skipped', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (garbage) => {
      expect(() => parseRunRecord(garbage)).not.toThrow();
    }),
  );
  expect(parseRunRecord('\nexit abc .\nready 1 .\nexit -1 .\nrun a b c d .\n')).toEqual({});
});

test.each([
  [0, { kind: 'code', code: 0 }],
  [127, { kind: 'code', code: 127 }],
  [128, { kind: 'code', code: 128 }],
  [137, { kind: 'signal', signal: 'SIGKILL' }],
  [143, { kind: 'signal', signal: 'SIGTERM' }],
  [255, { kind: 'code', code: 255 }],
] as const)('status %i', (status, exit) => {
  expect(exitOf(status)).toEqual(exit);
});
