import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseListen } from '../bus-address.ts';
import { isLoopbackHost, readAgentFile } from './agent-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-agent-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function read(text: string): ReturnType<typeof readAgentFile> {
  writeFileSync(join(folder, 'agent.yaml'), text);
  return readAgentFile(folder);
}

const DEFAULTS = { listen: { host: '127.0.0.1', port: 4222 }, names: [] };

test('what is absent or malformed counts as the default', () => {
  expect(readAgentFile(folder)).toEqual(DEFAULTS);
  for (const text of ['', 'bus: [unclosed', 'just text', 'state_dir: ""\nbus:\n  listen: nonsense\n  names: here\n']) {
    expect(read(text), text).toEqual(DEFAULTS);
  }
});

test('texts are as written', () => {
  expect(
    read(
      'environment: test\nhost: web1\nstate_dir: ../state\nbus:\n  listen: 10.0.0.1:4333\n  url: tls://bus:4222\n  names: [bus, 10.0.0.1]\n  tls: {ca: ca.crt}\n',
    ),
  ).toEqual({
    environment: 'test',
    host: 'web1',
    stateDir: '../state',
    busUrl: 'tls://bus:4222',
    listen: { host: '10.0.0.1', port: 4333 },
    names: ['bus', '10.0.0.1'],
    tls: { ca: 'ca.crt' },
  });
});

test.each([
  ['0.0.0.0:4333', { host: '0.0.0.0', port: 4333 }],
  [':4333', { host: '0.0.0.0', port: 4333 }],
  ['[::1]:4333', { host: '::1', port: 4333 }],
  ['4333', { host: '127.0.0.1', port: 4333 }],
  ['', undefined],
  ['nonsense', undefined],
  ['127.0.0.1:70000', undefined],
])('listen %j', (text, expected) => {
  expect(parseListen(text)).toEqual(expected);
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example.org', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});
