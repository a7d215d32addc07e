import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { withBusSettings } from './agent-file.ts';

const SHIPPED = readFileSync(new URL('../../../../config/agent.yaml', import.meta.url), 'utf8');
const WANTED = {
  environment: 'production',
  host: 'web2',
  url: 'tls://bus.example.org:4333',
  creds: 'joined/web2.creds',
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-agent-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function changed(text: string, isReplacing = true): Promise<string> {
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, text);
  return withBusSettings(file, WANTED, isReplacing);
}

const FILES: readonly (readonly [string, string])[] = [
  ['the one of a fresh clone', SHIPPED],
  ['an empty one', ''],
  ['nothing but comments', '# ours\n# yours\n'],
  ['an explicit nothing', '# ours\nnull # yours\n'],
  ['keys without values', 'bus: # ours\n# yours\nhost:\n'],
  ['a key without values that says so', 'bus: ~ # ours\n'],
  ['other keys', '# ours\nmetrics: { interval: 5s } # often\n'],
  ['a bus of its own', '# ours\nbus: { listen: "127.0.0.1:4333" } # ours too\n'],
  ['a bus of its own, in lines', 'bus:\n  # ours\n  listen: 127.0.0.1:4333 # yours\nlog: { level: warn }\n'],
  ['line ends of Windows', '# ours\r\nbus:\r\n  listen: 127.0.0.1:4333 # yours\r\n'],
];

test.each(FILES.flatMap(([what, text]) => [true, false].map((isReplacing) => [what, text, isReplacing] as const)))(
  'into %s: it names the bus, and the rest stays (%#)',
  async (_what, text, isReplacing) => {
    const written = await changed(text, isReplacing);
    const { bus: busBefore, host: _host, ...othersBefore } = (parse(text) ?? {}) as Record<string, object>;
    const { environment, host, url, creds } = WANTED;
    expect(parse(written)).toEqual({ ...othersBefore, environment, host, bus: { ...busBefore, url, creds } });
    for (const comment of text.match(/#.*/gu) ?? []) expect(written).toContain(comment.trim());
    expect(written.replaceAll('\r\n', '').includes('\r')).toBe(false);
    expect(/(?<!\r)\n/u.test(written)).toBe(!text.includes('\r\n'));
    // Once more changes nothing.
    expect(await changed(written, isReplacing)).toBe(written);
  },
);

test('what belongs to another bus is replaced with its certificates, or refused', async () => {
  const text = 'host: db7\nbus: { url: "nats://other:4222", tls: { ca: other.crt }, names: [a] }\n';
  const { environment, host, url, creds } = WANTED;
  expect(parse(await changed(text))).toEqual({ environment, host, bus: { url, creds, names: ['a'] } });
  await expect(changed(text, false)).rejects.toThrow(/host is 'db7', bus\.url is 'nats:.*--replace/u);
});

test.each([
  ['bus: {', 'mend it first'],
  ['- a list\n', 'it is no map'],
  ['only words\n', 'it is no map'],
  ['bus: nats://other:4222\n', "'bus' in it is no map"],
  ['a: &a { listen: 127.0.0.1:4333 }\nbus: *a\n', "'bus' in it is no map"],
  ['bus: [a]\n', "'bus' in it is no map"],
  ['a: 1\n---\nb: 2\n', 'mend it first'],
  ['host: a\nhost: b\n', 'mend it first'],
])('%j is refused', async (text, expected) => {
  await expect(changed(text)).rejects.toThrow(`cannot change '${join(folder, 'agent.yaml')}': `);
  await expect(changed(text, false)).rejects.toThrow(expected);
});
