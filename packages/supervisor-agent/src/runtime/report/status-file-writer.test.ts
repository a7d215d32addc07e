import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StatusFile } from '@muster/contracts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readStatusFile, StatusFileWriter } from './status-file-writer.ts';

let stateDir: string;
let content: StatusFile;
let problems: unknown[];
let writer: StatusFileWriter;
beforeEach(() => {
  vi.useFakeTimers();
  stateDir = mkdtempSync(path.join(tmpdir(), 'muster-status-'));
  problems = [];
  content = {
    writtenAt: '2026-03-01T12:00:00.000Z',
    host: 'web1',
    agentId: 'a1',
    bus: { connected: true },
    instances: [],
    recentEvents: [],
  };
  writer = new StatusFileWriter(
    stateDir,
    () => content,
    (error) => problems.push(error),
  );
});
afterEach(() => {
  writer[Symbol.dispose]();
  vi.useRealTimers();
  rmSync(stateDir, { recursive: true });
});

test('changes that come together are written together', () => {
  writer.changed();
  content = { ...content, agentId: 'a2' };
  writer.changed();
  expect(readStatusFile(stateDir)).toBeUndefined();
  vi.advanceTimersByTime(100);
  expect(readStatusFile(stateDir)).toEqual(content);
});

test('without changes the file is written every 5 s, so that its age tells whether the agent lives', () => {
  vi.advanceTimersByTime(5_000);
  expect(readStatusFile(stateDir)?.writtenAt).toBe('2026-03-01T12:00:00.000Z');
  content = { ...content, writtenAt: '2026-03-01T12:00:05.000Z' };
  vi.advanceTimersByTime(5_000);
  expect(readStatusFile(stateDir)?.writtenAt).toBe('2026-03-01T12:00:05.000Z');
});

test('a file that cannot be written is told, and tried again', () => {
  mkdirSync(path.join(stateDir, 'status.json'));
  writer.writeNow();
  expect(problems).toHaveLength(1);
  rmSync(path.join(stateDir, 'status.json'), { recursive: true });
  vi.advanceTimersByTime(5_000);
  expect(readStatusFile(stateDir)).toEqual(content);
});

test('nothing is written after the end', () => {
  writer.changed();
  writer[Symbol.dispose]();
  vi.advanceTimersByTime(60_000);
  expect(readStatusFile(stateDir)).toBeUndefined();
});

test.each(['', '{', '[]', '{"host":"web1"}'])('a file that holds %j says nothing', (text) => {
  writeFileSync(path.join(stateDir, 'status.json'), text);
  expect(readStatusFile(stateDir)).toBeUndefined();
});
