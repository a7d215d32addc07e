import type { ProberReply } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { expect, test } from 'vitest';
import { Envelopes } from '../../bus/envelopes.ts';
import { RecoveryPermission } from './recovery-permission.ts';

/** A prober that answers as told, and what it was asked. */
function prober(answer: Pick<ProberReply<'recover'>, 'granted' | 'reason'> | Error, isConnected = true) {
  const asked: unknown[] = [];
  const bus: Pick<Bus, 'request' | 'isConnected'> = {
    isConnected,
    request: async (row, _params, request) => {
      asked.push(request);
      if (answer instanceof Error) throw answer;
      const slotMs = answer.granted ? 30_000 : 0;
      const envelope = { id: 'reply', time: '2026-03-01T12:00:00.000Z', source: 'prober/p1', commandId: 'one' };
      return row.reply.parse({ ...envelope, accepted: true, code: 'ok', ...answer, slotMs });
    },
  };
  return { asked, permission: new RecoveryPermission(bus, 'web1', new Envelopes('web1', 7)) };
}

const key = (service: string) => ({ agentId: 'a1', service, instance: 0 });

test('the prober decides, and the reason says so', async () => {
  const willing = prober({ granted: true, reason: '' });
  expect(await willing.permission.ask(key('api'), 4, 'liveness probe failed')).toEqual({
    granted: true,
    reason: 'liveness probe failed; the prober allows a restart',
  });
  expect(willing.asked).toMatchObject([
    { actor: 'agent/web1', host: 'web1', service: 'api', instance: 0, generation: 4, reason: 'liveness probe failed' },
  ]);
  const strict = prober({ granted: false, reason: '1 of 1 recoveries is under way' });
  expect(await strict.permission.ask(key('api'), 4, 'liveness probe failed')).toEqual({
    granted: false,
    reason: 'liveness probe failed; the prober refuses a restart: 1 of 1 recoveries is under way',
  });
});

test('without an answer the host decides alone: one at a time', async () => {
  const { permission } = prober(new Error('no responders'));
  const first = await permission.ask(key('api'), 1, 'hangs');
  expect(first).toEqual({
    granted: true,
    reason: 'hangs; no prober decides (no responders); recovery 1 of 3 in 10 min on this host',
  });
  expect(await permission.ask(key('db'), 1, 'hangs')).toEqual({
    granted: false,
    reason: 'hangs; no prober decides (no responders); api.0 is being recovered, one at a time',
  });
  permission.over('api', 0);
  expect(await permission.ask(key('db'), 1, 'hangs')).toMatchObject({ granted: true });
});

test('without a bus nobody is waited for, and three in ten minutes are enough', async () => {
  const { permission, asked } = prober({ granted: true, reason: '' }, false);
  const answers: boolean[] = [];
  for (const service of ['a', 'b', 'c', 'd']) {
    answers.push((await permission.ask(key(service), 1, 'hangs')).granted);
    permission.over(service, 0);
  }
  expect(answers).toEqual([true, true, true, false]);
  expect(asked).toEqual([]);
});
