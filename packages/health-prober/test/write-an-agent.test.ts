/* What docs/write-an-agent.md says of alerts is what the prober makes of what agents say. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type InstanceEvent, InstanceEvent as Schema } from '@muster/contracts';
import { expect, test } from 'vitest';
import { observe, type RuleName } from '../src/core/alert.ts';
import { type InstanceHistory, observeHost, observeVerdict, readEvent } from '../src/core/rules.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const text = readFileSync(path.join(ROOT, 'docs/write-an-agent.md'), 'utf8');
const golden = path.join(ROOT, 'packages/contracts/golden/v1/messages/instance-event.json');
const { exit: _exit, ...base } = Schema.parse(JSON.parse(readFileSync(golden, 'utf8')));
const severities = new Map(
  [...text.matchAll(/^\| `([a-z-]+)` \| (critical|warning|info) \|/gm)].map(([, rule = '', severity]) => [
    rule,
    severity,
  ]),
);

/** What fires after these events of one instance. */
function firedBy(...changes: readonly Partial<InstanceEvent>[]): readonly RuleName[] {
  let history: InstanceHistory | undefined;
  const fired: RuleName[] = [];
  for (const [at, change] of changes.entries()) {
    const told = readEvent(history, { ...base, desired: 'up', seq: at, ...change }, at);
    history = told.history;
    fired.push(...told.observations.filter(({ isOn }) => isOn).map(({ rule }) => rule));
    if (told.recovery !== undefined) fired.push(told.recovery.seen.rule);
  }
  return [...new Set(fired)];
}

const calm = { onProbation: false, restartLoop: false };

test.each<[rule: RuleName, changes: readonly Partial<InstanceEvent>[]]>([
  ['failed', [{ ...calm, from: 'running', to: 'failed' }]],
  ['failed', [{ ...calm, from: 'failed', to: 'starting', onProbation: true }]],
  ['restart-loop', [{ ...calm, from: 'running', to: 'running', restartLoop: true }]],
  [
    'restarted',
    [
      { ...calm, from: 'running', to: 'backoff' },
      { ...calm, from: 'starting', to: 'running' },
    ],
  ],
])('%s fires for what the page says', (rule, changes) => {
  expect(firedBy(...changes)).toEqual([rule]);
});

test('nothing of them fires for what nobody wants up', () => {
  const down = { desired: 'down' } as const;
  expect(
    firedBy({ ...down, to: 'failed' }, { ...down, to: 'backoff' }, { ...down, to: 'starting', restartLoop: true }),
  ).toEqual([]);
});

test('each rule is told, with its severity', () => {
  const subject = { host: 'web1', service: 'api', instance: 0 };
  const votes = { verdict: 'unhealthy', hardness: 'hard', attempt: 3, reason: '', votes: [] } as const;
  const unhealthy = observeVerdict(subject, votes, false);
  expect(observeVerdict(subject, { ...votes, hardness: 'soft' }, false)).toBeUndefined();
  expect(observeVerdict(subject, votes, true)).toBeUndefined();
  const gone = observeHost('web1', 7_000, 'heartbeat');
  const rules = ['failed', 'restart-loop', 'restarted', 'unhealthy', 'host-gone'] as const;
  expect([...severities.keys()]).toEqual(rules);
  for (const rule of rules) {
    const seen = rule === 'unhealthy' ? unhealthy : { ...gone, rule };
    if (seen === undefined) throw new Error('nothing was seen');
    expect(observe(undefined, seen, [], '2026-03-01T12:00:00Z').alert?.severity).toBe(severities.get(rule));
  }
});
