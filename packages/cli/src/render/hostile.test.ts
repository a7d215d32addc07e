/*
 * Whatever the bus or a file says, nothing gets to the reader's terminal that would change it. Each renderer gets a message in
 * which every text is as hostile as its schema lets it be.
 */
import {
  AGENT_VERBS,
  type AlertEvent,
  type ComponentEvent,
  type InstanceEvent,
  type InstanceStatus,
  type LogBatch,
  PROBER_VERBS,
  rows,
  ServiceSpecEntry,
  StatusFile,
  InstanceStatus as StatusSchema,
  Verdict,
} from '@muster/contracts';
import { describe, expect, test } from 'vitest';
import { FORBIDDEN, HOSTILE, hostile, type Schema } from '../../test/hostile.ts';
import { NOW_MS } from '../../test/samples.ts';
import { type Output, Terminal } from '../terminal.ts';
import { renderAlertLine, renderAlerts } from './alerts.ts';
import { renderDiagnostics } from './diagnostics.ts';
import { renderComponentEvent, renderInstanceEvent } from './events.ts';
import { renderFindings } from './findings.ts';
import { renderFoundOutcome } from './found-outcome.ts';
import { renderHistory } from './history.ts';
import { renderGap, renderLine } from './logs.ts';
import { renderMessage } from './message.ts';
import { renderFinished, renderProgress } from './outcome.ts';
import { paintPlain } from './paint.ts';
import { renderParticipants, renderStandingChange } from './participants.ts';
import { renderStatus } from './status.ts';
import { renderWhy } from './why.ts';

function of(schema: Schema): unknown {
  const value = hostile(schema);
  const { success, data } = schema.safeParse(value);
  expect(success, JSON.stringify(value)).toBe(true);
  expect(JSON.stringify(data), 'it has become harmless on the way').toContain('title');
  return data;
}

const event = of(rows.instanceEvent.schema) as InstanceEvent;
const status = of(StatusSchema) as InstanceStatus;
const health = of(Verdict) as Verdict;
const alert = of(rows.alert.schema) as AlertEvent;
const batch = of(rows.instanceLog.schema) as LogBatch;
const instance = { status, isAlive: true, health };
const lost = { status, isAlive: false, health };
const source = { host: HOSTILE, service: HOSTILE, instance: 0, generation: 1 };
const chart = {
  startsAtMs: [NOW_MS],
  stepMs: 1_000,
  series: [{ name: HOSTILE, unit: HOSTILE, min: [1], max: [2], mean: [1.5], count: [1] }],
} as unknown as Parameters<typeof renderHistory>[1];
const participant = { kind: 'host', id: HOSTILE, state: 'heard', version: HOSTILE, note: HOSTILE } as const;
const diagnostic = {
  file: HOSTILE,
  line: 1,
  column: 1,
  path: HOSTILE,
  message: HOSTILE,
  code: HOSTILE,
} as unknown as Parameters<typeof renderDiagnostics>[1][number];

const RENDERED: Readonly<Record<string, () => readonly string[]>> = {
  'an event': () => [
    renderInstanceEvent(event, paintPlain),
    renderInstanceEvent({ ...event, to: event.from }, paintPlain),
  ],
  'an event of a component': () => [
    renderComponentEvent(HOSTILE, of(rows.hostEvent.schema) as ComponentEvent, paintPlain),
    renderComponentEvent('web1', of(rows.proberEvent.schema) as ComponentEvent, paintPlain),
  ],
  alerts: () => [...renderAlerts([alert], NOW_MS, paintPlain), renderAlertLine(alert, paintPlain)],
  lines: () => [
    ...batch.lines.map((line) => renderLine({ kind: 'line', source, line }, paintPlain)),
    ...batch.lines.map((line) => renderLine({ kind: 'line', source, line: { ...line, time: HOSTILE } }, paintPlain)),
    ...batch.gaps.map((gap) => renderGap({ kind: 'gap', source, time: HOSTILE, gap }, paintPlain)),
  ],
  status: () =>
    renderStatus(
      {
        source: 'bus',
        asOf: HOSTILE,
        hosts: [{ host: HOSTILE, isAlive: false, problem: HOSTILE, lastHeardAt: HOSTILE, instances: 1 }],
        instances: [instance, lost],
      },
      NOW_MS,
      paintPlain,
    ),
  'status from a file': () => {
    const { host, instances } = of(StatusFile) as StatusFile;
    const hosts = [{ host, isAlive: true, instances: 1 }];
    const readings = instances.map((one) => ({ status: one, isAlive: true }));
    return renderStatus({ source: 'file', asOf: HOSTILE, hosts, instances: readings }, NOW_MS, paintPlain);
  },
  why: () =>
    [instance, lost].flatMap((one) =>
      renderWhy({ source: 'bus', asOf: HOSTILE, instance: one, events: [event] }, NOW_MS, paintPlain),
    ),
  outcomes: () => [
    ...(['done', 'failed', 'unknown'] as const).map((outcome) =>
      renderFinished('restart', { commandId: HOSTILE, outcome, status, reason: HOSTILE }, 1, paintPlain),
    ),
    renderProgress(status, paintPlain),
    renderFoundOutcome(
      { commandId: HOSTILE, outcome: 'done', isAnswered: true, reason: HOSTILE, verb: HOSTILE, target: HOSTILE },
      paintPlain,
    ),
    renderFoundOutcome(
      { commandId: HOSTILE, host: HOSTILE, outcome: 'done', isAnswered: true, reason: HOSTILE },
      paintPlain,
    ),
  ],
  participants: () => [
    ...renderParticipants([participant], paintPlain),
    renderStandingChange(participant, HOSTILE, paintPlain),
  ],
  history: () => renderHistory(HOSTILE, chart, paintPlain),
  findings: () => renderFindings([{ check: HOSTILE, level: 'ok', text: HOSTILE, remedy: HOSTILE }], paintPlain),
  diagnostics: () => renderDiagnostics('error', [diagnostic], HOSTILE, paintPlain),
};

test.each(Object.entries(RENDERED))('%s', (_name, render) => {
  for (const line of render()) expect(line.replaceAll('\t', ' ')).not.toMatch(FORBIDDEN);
});

describe('muster bus tail', () => {
  test.each(Object.entries(rows))('%s', (name, { schema }) => {
    const message = hostile(schema) as Record<string, unknown>;
    expect(renderMessage(name, { host: HOSTILE }, message, paintPlain)).not.toMatch(FORBIDDEN);
  });
});

test('every field of a message is hostile, of questions and answers as well', () => {
  const schemas = [
    ...Object.values(rows).map(({ schema }) => schema),
    ...[...Object.values(AGENT_VERBS), ...Object.values(PROBER_VERBS)].flatMap(({ request, reply }) => [
      request,
      reply,
    ]),
    ServiceSpecEntry,
  ];
  for (const schema of schemas) expect(schema.safeParse(hostile(schema)).success).toBe(true);
});

describe('the terminal itself', () => {
  const write = (isTTY: boolean, act: (terminal: Terminal) => void): string => {
    let written = '';
    const output: Output = { isTTY, write: (text) => (written += text) !== '' };
    act(new Terminal(output, output, {}));
    return written;
  };

  test.each([false, true])('lets nothing through that a renderer has forgotten (colours: %s)', (isTTY) => {
    const written = write(isTTY, (terminal) => {
      terminal.print(terminal.paint('bad', HOSTILE), HOSTILE);
      terminal.note(HOSTILE);
    });
    const ours = new RegExp(String.raw`\u001B\[(?:31|0)m|\n`, 'g');
    expect(written.replaceAll(ours, '')).not.toMatch(FORBIDDEN);
    expect(written.includes('\u001B[31m')).toBe(isTTY);
  });

  test('JSON is what was sent, and can be read safely', () => {
    const written = write(true, (terminal) => terminal.printJson({ text: HOSTILE }));
    expect(JSON.parse(written)).toEqual({ text: HOSTILE });
    expect(written.trimEnd()).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });
});
