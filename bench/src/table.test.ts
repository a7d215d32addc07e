import { expect, test } from 'vitest';
import type { Finding, MeasureReport } from './finding.ts';
import { renderReports, type Surroundings } from './table.ts';

const around: Surroundings = {
  nodeVersion: '20.20.2',
  kernel: '6.1.0',
  cores: 2,
  cpuModel: 'Some CPU',
  memoryBytes: 8e9,
  load1: 0.2,
  natsServer: 'nats-server: v2.9.10',
  peer: 'PM2 7.0.4',
  isQuick: false,
};

function taken(...findings: Finding[]): MeasureReport {
  return { kind: 'taken', name: 'crash', includes: 'all of it', counts: '3 kills', findings, leftOut: ['the weather'] };
}

test('ours and the peer side by side, each with its goal', () => {
  const text = renderReports(
    [
      taken(
        {
          what: 'crash, p50',
          unit: 'ms',
          ours: 6.04,
          peer: { name: 'PM2', value: 10.5 },
          goal: { kind: 'ratio-at-most', ratio: 0.6 },
        },
        {
          what: 'crash, p95',
          unit: 'ms',
          ours: 30,
          peer: { name: 'PM2', value: 15 },
          goal: { kind: 'ratio-at-most', ratio: 1 },
          limitedBy: 'the disk',
        },
        { what: 'memory', unit: 'MB', ours: 70.25, goal: { kind: 'at-most', value: 80 } },
        { what: '  shims', unit: '', ours: 200 },
      ),
      { kind: 'failed', name: 'page', reason: 'no Chromium' },
    ],
    around,
  );
  expect(text).toBe(`Node 20.20.2 · 2 cores (Some CPU), 8 GB · Linux 6.1.0 · nats-server: v2.9.10 · PM2 7.0.4

measure        ours         peer  ratio  goal
────────────────────────────────────────────────────────────
crash, p50  6.04 ms  10.5 ms PM2  0.58×  ≤ 0.6× peer  met
crash, p95    30 ms    15 ms PM2  2.00×  ≤ 1× peer    missed
memory      70.3 MB            –      –  ≤ 80 MB      met
  shims         200            –      –

crash: all of it (3 kills)
  left out: the weather
  missed: crash, p95: the disk
page: not taken: no Chromium

goals: 2 met, 1 missed, 1 measure not taken`);
});

test('a goal beside a peer is open without the peer', () => {
  const finding: Finding = { what: 'crash', unit: 'ms', ours: 6, goal: { kind: 'ratio-at-most', ratio: 1 } };
  expect(renderReports([taken(finding)], around)).toContain('goals: 0 met, 0 missed, 1 without their peer');
});

test('a busy machine and a quick run are said', () => {
  const text = renderReports([], { ...around, load1: 3.1, isQuick: true });
  expect(text).toContain('quick run');
  expect(text).toContain('the machine was busy (load 3.1)');
});
