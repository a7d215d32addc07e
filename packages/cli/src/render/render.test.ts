import { printable } from '@muster/contracts';
import type { MetricsHistory } from '@muster/contracts/client';
import { describe, expect, test } from 'vitest';
import { alertEvent, componentEvent, instanceEvent, instanceStatus, NOW_MS, verdict } from '../../test/samples.ts';
import { isCurrent, renderAlertLine, renderAlerts } from './alerts.ts';
import { renderDiagnostics } from './diagnostics.ts';
import { renderComponentEvent, renderInstanceEvent } from './events.ts';
import { renderFoundOutcome } from './found-outcome.ts';
import { renderHistory } from './history.ts';
import { renderGap, renderLine } from './logs.ts';
import { paintAnsi, paintPlain } from './paint.ts';
import { renderParticipants, renderStandingChange } from './participants.ts';
import { renderStatus, statusJson } from './status.ts';
import { displayWidth, renderTable } from './table.ts';
import { formatAge, formatSpan } from './time.ts';
import { renderWhy } from './why.ts';

describe('table', () => {
  test('columns are aligned by what a terminal shows', () => {
    const lines = renderTable(
      [{ title: 'A' }, { title: 'N', align: 'right' }, { title: 'C' }],
      [
        ['日本', '1', 'x'],
        ['é', '100', { text: 'y', tone: 'bad' }],
      ],
      paintPlain,
    );
    expect(lines).toEqual(['A       N  C', '日本    1  x', 'é     100  y']);
  });

  test('colours do not move columns', () => {
    const lines = renderTable([{ title: 'A' }, { title: 'B' }], [[{ text: 'x', tone: 'bad' }, 'y']], paintAnsi);
    expect(lines).toEqual(['\u001B[2mA\u001B[0m  \u001B[2mB\u001B[0m', '\u001B[31mx\u001B[0m  y']);
  });

  test.each([
    ['', 0],
    ['abc', 3],
    ['e\u0301', 1],
    ['日本', 4],
    ['🚀', 2],
    ['● up', 4],
  ])('%j is %d wide', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test('what comes from the wire can neither move the cursor nor break the line', () => {
    expect(printable('a\u001B[2Jb\nc\u0007\u202Ed')).toBe('a\u{FFFD}[2Jb c\u{FFFD}\u{FFFD}d');
  });
});

describe('time', () => {
  test.each([
    [-5, '0s', '0 s'],
    [1_240, '1s', '1.2 s'],
    [59_999, '59s', '59 s'],
    [60_000, '1m', '1 min'],
    [3_720_000, '1h02m', '1 h 2 min'],
    [86_400_000, '1d0h', '1 d'],
    [5 * 86_400_000 + 4 * 3_600_000, '5d4h', '5 d 4 h'],
  ])('%d ms: %s, %s', (ms, age, span) => {
    expect(formatAge(ms)).toBe(age);
    expect(formatSpan(ms)).toBe(span);
  });
});

describe('status', () => {
  const reading = {
    source: 'bus',
    asOf: '2026-11-23T10:05:00.000Z',
    hosts: [
      { host: 'web1', isAlive: true, instances: 2 },
      {
        host: 'web2',
        isAlive: false,
        problem: 'its agent does not answer',
        lastHeardAt: '2026-11-23T10:00:00.000Z',
        instances: 1,
      },
    ],
    instances: [
      { status: instanceStatus({ service: 'nats-server', system: true, pid: 7 }), isAlive: true },
      { status: instanceStatus({ host: 'web2', restarts: 3 }), isAlive: false, health: verdict() },
      { status: instanceStatus({ pid: 4711 }), isAlive: true, health: verdict() },
    ],
  } as const;

  test('what is not heard is unknown with its age, never running', () => {
    expect(renderStatus(reading, NOW_MS, paintPlain)).toEqual([
      'HOST  STATE      INSTANCES  LAST HEARD  REASON',
      'web1  ● up               2         now',
      'web2  ? unknown          1          5m  its agent does not answer',
      '',
      'HOST  SERVICE      STATE      READY  HEALTH   AGE  RESTARTS   PID  REASON',
      'web1  rag-api      ● running  yes    healthy   5m      0/10  4711  started',
      'web1  nats-server  ● running  yes    -         5m      0/10     7  started',
      'web2  rag-api      ? unknown  -      -         5m      3/10     -  last known: running, started',
    ]);
  });

  test('JSON says unknown as well, and what was known last', () => {
    const { instances } = statusJson(reading, NOW_MS) as { instances: Record<string, unknown>[] };
    expect(instances[2]).toMatchObject({
      host: 'web2',
      state: 'unknown',
      ready: 'unknown',
      health: 'unknown',
      lastKnownState: 'running',
      ageMs: 300_000,
    });
    expect(instances[0]).toMatchObject({ host: 'web1', state: 'running', health: 'healthy', ageMs: 300_000 });
  });

  test('instances are numbered where there is more than one', () => {
    const two = [
      { status: instanceStatus(), isAlive: true },
      { status: instanceStatus({ instance: 1 }), isAlive: true },
    ];
    const lines = renderStatus({ ...reading, instances: two }, NOW_MS, paintPlain);
    expect(lines.slice(5)).toEqual([
      'web1  rag-api.0  ● running  yes    -        5m      0/10    -  started',
      'web1  rag-api.1  ● running  yes    -        5m      0/10    -  started',
    ]);
  });

  test('an empty fleet', () => {
    expect(renderStatus({ ...reading, hosts: [], instances: [] }, NOW_MS, paintPlain)).toEqual([
      'no host has told the bus about itself yet',
    ]);
  });
});

describe('why', () => {
  test('the chain: each transition with its reason, exit and causes', () => {
    const crash = instanceEvent({
      id: 'e1',
      seq: 2,
      from: 'running',
      to: 'backoff',
      reason: 'exited, restarts at once',
      exit: { code: 1, signal: null, known: true },
      restarts: 1,
      restartBudget: 10,
    });
    const again = instanceEvent({
      id: 'e2',
      seq: 3,
      from: 'backoff',
      to: 'starting',
      generation: 2,
      causes: ['e1', 'c9'],
    });
    const status = instanceStatus({
      state: 'backoff',
      generation: 2,
      restarts: 1,
      nextAttemptAt: '2026-11-23T10:05:30.000Z',
      exit: { code: null, signal: 'SIGKILL', known: true },
    });
    const why = {
      source: 'bus',
      asOf: '',
      instance: { status, isAlive: true, health: verdict() },
      events: [crash, again],
    } as const;
    expect(renderWhy(why, NOW_MS, paintPlain)).toEqual([
      'web1/rag-api.0: ↻ backoff, for 5 min, run 2',
      '    reason: started',
      '    wanted: up',
      '    restarts: 1 of 10 in 10 min',
      '    last exit: SIGKILL',
      '    next attempt: in 30 s (2026-11-23 10:05:30.000Z)',
      '    health: unknown (hard), answers in 12 ms',
      '',
      '2026-11-23 10:00:00.000Z  running -> backoff',
      '    exited, restarts at once',
      '    exit: code 1, run 1, restart 1 of 10, id e1',
      '2026-11-23 10:00:00.000Z  backoff -> starting',
      '    started',
      '    run 2, id e2',
      '    because of e1 (running -> backoff at 2026-11-23 10:00:00.000Z)',
      '    because of c9',
    ]);
  });
});

test('events on one line each', () => {
  const exit = { code: null, signal: null, known: false };
  expect(renderInstanceEvent(instanceEvent({ to: 'failed', exit, restartLoop: true }), paintPlain)).toBe(
    '2026-11-23 10:00:00.000Z  web1/rag-api.0  starting -> failed  started (exit: code unknown, run 1, restart loop)',
  );
  const { id, time, source, epoch, seq } = instanceEvent();
  const gap = { id, time, source, epoch, seq, kind: 'gap' as const, reason: 'the spool is full', causes: [], lost: 3 };
  expect(renderComponentEvent('web1', gap, paintPlain)).toBe(
    '2026-11-23 10:00:00.000Z  web1  gap  the spool is full (3 lost)',
  );
  expect(renderComponentEvent('prober main', componentEvent(), paintPlain)).toBe(
    '2026-11-23 10:00:00.000Z  prober main  lease-won  judges from now on',
  );
});

describe('alerts', () => {
  test('worst first; an alert about a host has no service', () => {
    const alerts = [
      alertEvent({ severity: 'warning', rule: 'slow' }),
      alertEvent({ service: '_', rule: 'host-gone', summary: 'gone' }),
    ];
    expect(renderAlerts(alerts, NOW_MS, paintPlain)).toEqual([
      'SEVERITY  STATE   TARGET        RULE       AGE  SUMMARY',
      'critical  firing  web1          host-gone   5m  gone',
      'warning   firing  web1/rag-api  slow        5m  rag-api on web1 has failed',
    ]);
    expect(renderAlerts([], NOW_MS, paintPlain)).toEqual(['no alerts']);
  });

  test('a line to follow', () => {
    expect(renderAlertLine(alertEvent(), paintPlain)).toBe(
      '2026-11-23 10:00:00.000Z  critical  firing  web1/rag-api  failed  rag-api on web1 has failed',
    );
    expect([alertEvent(), alertEvent({ state: 'resolved' })].map(isCurrent)).toEqual([true, false]);
  });
});

describe('history', () => {
  const chart: MetricsHistory = {
    tier: '1m',
    stepMs: 60_000,
    startsAtMs: [0, 60_000, 120_000, 180_000],
    series: [
      {
        name: 'cpu',
        unit: 'ratio',
        count: [6, 0, 2, 0],
        mean: [0.1, null, 0.5, null],
        min: [0.05, null, 0.4, null],
        max: [0.2, null, 0.8, null],
        last: [0.1, null, 0.5, null],
      },
      {
        name: 'disk.write',
        unit: 'bytes/s',
        count: [1, 1, 1, 1],
        mean: [0, 0, 0, 1_000_000],
        min: [0, 0, 0, 0],
        max: [0, 0, 0, 2_500_000],
        last: [0, 0, 0, 0],
      },
    ],
  };

  test('a line a series: dots where nothing was measured, means weighted by how often was looked', () => {
    expect(renderHistory('web1/api', chart, paintPlain)).toEqual([
      'web1/api since 1970-01-01 00:00:00.000Z, 1 min a column',
      'SERIES      OVER TIME    MIN      MEAN       MAX',
      'cpu         ▃·█·       5.0 %    20.0 %    80.0 %',
      'disk.write  ▁▁▁█       0 B/s  250 kB/s  2.5 MB/s',
    ]);
  });
});

describe('diagnostics', () => {
  const at = (line: number, column: number) => ({ file: 's.yaml', line, column, problem: 'bad', remedy: 'do better' });

  test('place, line and caret', () => {
    const text = 'services:\n  - name: a\n    port: x\n';
    expect(renderDiagnostics('error', [at(3, 11)], text, paintPlain)).toEqual([
      'error: s.yaml:3:11: bad; do better',
      '  3 |     port: x',
      '                ^',
    ]);
  });

  test.each([
    ['block style', 'services:\n  - name: a\n    environment:\n      TOKEN: [hush]\n', at(4, 14)],
    ['flow style', 'services:\n  - name: a\n    environment: { TOKEN: [hush] }\n', at(3, 28)],
    ['one line', 'services: [{ name: a, "environment": { TOKEN: [hush] } }]\n', at(1, 46)],
    ['after a blank line and a comment', 'services:\n  - environment:\n\n# c\n      TOKEN: [hush]\n', at(5, 14)],
  ])('values of an environment are not shown: %s', (_style, text, diagnostic) => {
    expect(renderDiagnostics('error', [diagnostic], text, paintPlain).join('\n')).not.toContain('hush');
  });
});

describe('hosts', () => {
  const host = {
    kind: 'host',
    id: 'web1',
    state: 'heard',
    ageMs: 900,
    version: '0.1.0',
    uptimeSeconds: 3_720,
    services: 5,
    backlog: 0,
    clockSkewMs: -3,
    roundTripMs: 1.4,
  } as const;

  test('one row for each, with a dash for what is not known', () => {
    const lines = renderParticipants(
      [
        host,
        {
          kind: 'host',
          id: 'web2',
          state: 'unknown',
          ageMs: 300_000,
          services: 1,
          note: 'its agent is not on the bus',
        },
        { kind: 'prober', id: 'main', state: 'heard', ageMs: 0, clockSkewMs: 90_000, note: '5 targets, judges' },
      ],
      paintPlain,
    );
    expect(lines).toEqual([
      'KIND    ID    STATE      AGE  VERSION  UPTIME  SERVICES  BACKLOG    SKEW  ROUND TRIP  NOTE',
      'host    web1  ● heard     0s  0.1.0     1h02m         5        0   -3 ms      1.4 ms',
      'host    web2  ? unknown   5m  -             -         1        -       -           -  its agent is not on the bus',
      'prober  main  ● heard     0s  -             -         -        -  +1 min           -  5 targets, judges',
    ]);
  });

  test('a change is one line', () => {
    expect(renderStandingChange({ ...host, state: 'unknown', ageMs: 6_700 }, '12:00', paintPlain)).toBe(
      '12:00  host web1  unknown, last heartbeat 6.7 s ago',
    );
    expect(renderStandingChange(host, '12:00', paintPlain)).toBe('12:00  host web1  heard');
  });
});

test.each([
  [{ host: 'web1', verb: 'restart', service: 'api' }, 'restart web1/api.0: done: it is running'],
  [{ host: 'web1', verb: 'stop', target: 'web1/api.1' }, 'stop web1/api.1: done: it is running'],
  [{}, 'x: done: it is running'],
])('the outcome of a command %j: %s', (known, line) => {
  const found = { commandId: 'x', outcome: 'done', isAnswered: true, reason: 'it is running', ...known } as const;
  expect(renderFoundOutcome(found, paintPlain)).toBe(line);
});
describe('logs', () => {
  const source = { host: 'web1', service: 'api', instance: 0, generation: 3 };
  const line = { time: '2026-03-01T12:00:00.250Z', stream: 'stdout', offset: 0, text: 'up' } as const;

  test('a line says when, who, how severe and what; stderr has a mark', () => {
    expect(renderLine({ kind: 'line', source, line }, paintPlain)).toBe('2026-03-01 12:00:00.250Z  web1/api.0  up');
    const rich = { ...line, stream: 'stderr', level: 'error', fields: { attempt: 3 }, partial: true } as const;
    expect(renderLine({ kind: 'line', source, line: rich }, paintPlain)).toBe(
      '2026-03-01 12:00:00.250Z  web1/api.0!  error  up {"attempt":3} …',
    );
  });

  test('what would change the terminal is shown as a mark, an indent stays', () => {
    const text = '\tat\u001B[2Jx\u0007';
    expect(renderLine({ kind: 'line', source, line: { ...line, time: '', text } }, paintPlain)).toBe(
      'web1/api.0  \tat\uFFFD[2Jx\uFFFD',
    );
  });

  test('a gap says how much of what is missing, and why', () => {
    const gap = { stream: 'stdout', offset: 0, bytes: 2_048, lines: 12, reason: 'more than 64 KiB/s' } as const;
    const { time } = line;
    const told = '-- 12 lines (2048 bytes) of stdout are not here: more than 64 KiB/s --';
    expect(renderGap({ kind: 'gap', source, time, gap }, paintPlain)).toContain(told);
    const uncounted = { ...gap, lines: undefined };
    expect(renderGap({ kind: 'gap', source, time, gap: uncounted }, paintPlain)).toContain('-- 2048 bytes of stdout');
  });
});
