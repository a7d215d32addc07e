import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type AgentRequest, MAX_MESSAGE_BYTES, PatternError } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { seededRandom, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HostLogPage, readHostLogs } from './host-logs.ts';

let home: TemporaryDirectory;
let files: { stdout: string; stderr: string };
beforeEach(async () => {
  home = await temporaryDirectory();
  files = { stdout: path.join(home.path, 'out.log'), stderr: path.join(home.path, 'err.log') };
});
afterEach(() => home[Symbol.asyncDispose]());

function ask(request: Partial<AgentRequest<'logs'>> = {}): Promise<HostLogPage> {
  const envelope = { id: uuidv7(), time: new Date().toISOString(), source: 'operator/test', actor: 'test' };
  return readHostLogs(files, { ...envelope, service: 'api', lines: 100, ...request });
}

const textsOf = ({ lines }: HostLogPage) => lines.map(({ text }) => text);

function numbered(count: number, width = 0): string {
  return Array.from({ length: count }, (_, i) => `line ${i}${' '.repeat(width)}\n`).join('');
}

test('no files, no lines', async () => {
  expect(await ask()).toEqual({ lines: [] });
});

test('the last lines, then the page before, down to the first', async () => {
  writeFileSync(files.stdout, numbered(10));
  const last = await ask({ lines: 4 });
  expect(textsOf(last)).toEqual(['line 6', 'line 7', 'line 8', 'line 9']);
  expect(last.lines[0]).toEqual({ stream: 'stdout', offset: 42, text: 'line 6' });
  const before = await ask({ lines: 4, ...(last.next && { before: last.next }) });
  expect(textsOf(before)).toEqual(['line 2', 'line 3', 'line 4', 'line 5']);
  const first = await ask({ lines: 4, ...(before.next && { before: before.next }) });
  expect(textsOf(first)).toEqual(['line 0', 'line 1']);
  expect(first.next).toBeUndefined();
});

test('onwards from a place, until there are no more', async () => {
  writeFileSync(files.stdout, numbered(5));
  const from = { stdout: 7, stderr: 0 };
  const page = await ask({ lines: 3, from });
  expect(textsOf(page)).toEqual(['line 1', 'line 2', 'line 3']);
  const rest = await ask({ lines: 3, from: page.next ?? from });
  expect(textsOf(rest)).toEqual(['line 4']);
  expect(rest.next).toBeUndefined();
});

test('a time without milliseconds is the same time', async () => {
  const line = (text: string) => `2026-03-01T12:00:00.500Z ${text.padEnd(100)}\n`;
  // More than is looked at in one go, all of it within the second that is asked for.
  writeFileSync(files.stdout, line('first') + line('rest').repeat(3_000));
  const page = await ask({ since: '2026-03-01T12:00:00Z', text: 'first' });
  expect(page.lines).toHaveLength(1);
});

test.each(['before', 'from'] as const)(
  'page by page (%s) a large log comes whole, and each page fits a message',
  async (way) => {
    writeFileSync(files.stdout, numbered(9_000, 100));
    writeFileSync(files.stderr, numbered(3_000, 300));
    const seen: Record<'stdout' | 'stderr', number[]> = { stdout: [], stderr: [] };
    let place: { stdout: number; stderr: number } | undefined = way === 'from' ? { stdout: 0, stderr: 0 } : undefined;
    for (let pages = 0; ; pages += 1) {
      expect(pages).toBeLessThan(50);
      const page = await ask({ lines: 10_000, ...(place !== undefined && { [way]: place }) });
      expect(JSON.stringify(page).length).toBeLessThan(MAX_MESSAGE_BYTES);
      for (const { stream, offset } of page.lines) seen[stream].push(offset);
      if (page.next === undefined) break;
      place = page.next;
    }
    for (const [stream, count] of [
      ['stdout', 9_000],
      ['stderr', 3_000],
    ] as const) {
      expect(seen[stream]).toHaveLength(count);
      expect(new Set(seen[stream]).size).toBe(count);
    }
  },
);

test('two files with times come as one log', async () => {
  writeFileSync(files.stdout, '2026-03-01T12:00:00Z a\n2026-03-01T12:00:02Z c\n  of c\n');
  writeFileSync(files.stderr, '2026-03-01T12:00:01Z b\n2026-03-01T12:00:03Z d\n');
  expect(textsOf(await ask()).map((text) => text.slice(-1))).toEqual(['a', 'b', 'c', 'c', 'd']);
});

test('two files without times have a share each', async () => {
  writeFileSync(files.stdout, numbered(50));
  writeFileSync(files.stderr, numbered(50));
  const { lines } = await ask({ lines: 10 });
  expect(lines.filter(({ stream }) => stream === 'stdout')).toHaveLength(5);
});

test('by stream, text, level, time and expression', async () => {
  writeFileSync(
    files.stdout,
    '2026-03-01T12:00:00Z INFO Up\n2026-03-01T13:00:00Z WARN hot\n2026-03-01T14:00:00Z ERROR gone\n',
  );
  writeFileSync(files.stderr, 'noise\n');
  expect((await ask({ stream: 'stderr' })).lines).toHaveLength(1);
  expect(textsOf(await ask({ text: 'up' }))).toEqual(['2026-03-01T12:00:00Z INFO Up']);
  expect((await ask({ level: 'warn' })).lines.map(({ level }) => level)).toEqual(['warn', 'error']);
  expect(
    (await ask({ stream: 'stdout', since: '2026-03-01T12:30:00Z', until: '2026-03-01T13:30:00Z' })).lines,
  ).toHaveLength(1);
  expect((await ask({ regex: 'hot$|gone$' })).lines).toHaveLength(2);
});

test('what is rare is found page by page', async () => {
  writeFileSync(files.stdout, 'needle\n');
  appendFileSync(files.stdout, numbered(200_000));
  let page = await ask({ text: 'needle' });
  for (let pages = 0; page.next !== undefined && pages < 100; pages += 1) {
    page = await ask({ text: 'needle', before: page.next });
    if (page.lines.length > 0) break;
  }
  expect(textsOf(page)).toEqual(['needle']);
});

/** In time of the processor: what keeps it busy is meant, not what a busy machine keeps from it. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

test.each([
  ['one that JavaScript needs years for', '^(a+)+$', []],
  ['one that is as slow as it gets', '[ab]*a[ab]{200}[cd]', expect.stringContaining('takes too long on these lines')],
] as const)('%s keeps the agent from its work for no longer than a moment', async (_name, regex, expected) => {
  const random = seededRandom(1);
  const line = Array.from({ length: 16_000 }, () => (random.next() < 0.5 ? 'a' : 'b')).join('');
  writeFileSync(files.stdout, `${'a'.repeat(60)}!\n${`${line}\n`.repeat(8)}`);
  let longestMs = 0;
  let lastMs = processorMs();
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, processorMs() - lastMs);
    lastMs = processorMs();
  }, 5);
  const found = await ask({ regex }).then(
    ({ lines }) => lines,
    (error: unknown) => (error as Error).message,
  );
  clearInterval(timer);
  longestMs = Math.max(longestMs, processorMs() - lastMs);
  expect(found).toEqual(expected);
  expect(longestMs).toBeLessThan(2_000);
});

test('an expression that cannot be used is refused', async () => {
  await expect(ask({ regex: '(' })).rejects.toThrow(PatternError);
});

test('what a service was given as a secret is neither told nor found', async () => {
  writeFileSync(files.stdout, 'pw=Hunter2\n{"msg":"up","with":"Hunter2","n":1}\n');
  const mask = (text: string) => text.replaceAll('Hunter2', '[redacted]');
  const envelope = { id: uuidv7(), time: new Date().toISOString(), source: 'operator/test', actor: 'test' };
  const look = (more: object) => readHostLogs(files, { ...envelope, service: 'api', lines: 10, ...more }, mask);
  const { lines } = await look({});
  expect(lines.map(({ text, fields }) => [text, fields])).toEqual([
    ['pw=[redacted]', undefined],
    ['up', { with: '[redacted]', n: 1 }],
  ]);
  expect((await look({ text: 'hunter' })).lines).toEqual([]);
  expect((await look({ regex: 'H.nter2' })).lines).toEqual([]);
});
