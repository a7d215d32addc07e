import { expect, test } from 'vitest';
import { Progress } from './progress.mjs';

const HOSTILE = `a\u001B[2J\u001B]0;title\u0007\u009B1;1H\u202E\u200B\u3164\nb\r\nc\u2028\uD83D\u{E0041}\u007F\t${'l\u0301'.padEnd(40, '\u0301')}\u001B[31mred`;

test('nothing that a step or a service is called gets through to the terminal', () => {
  let written = '';
  const stream = { isTTY: true, write: (text: string) => (written += text) !== '' } as unknown as NodeJS.WriteStream;
  const progress = new Progress(stream, {});
  progress.begin(HOSTILE, HOSTILE);
  progress.done(HOSTILE, HOSTILE);
  progress.failed(HOSTILE, HOSTILE);
  progress.say(HOSTILE);
  progress.announce(HOSTILE);
  expect(written.replace(new RegExp(String.raw`\u001B\[(?:2|32|31|1|0)m|\r\u001B\[2K|[\n\t]`, 'g'), '')).not.toMatch(
    /[\p{C}\p{Zl}\p{Zp}]/u,
  );
});
