import type { ComponentEvent } from '@muster/contracts';
import { expect, test } from 'vitest';
import { Envelopes } from '../../bus/envelopes.ts';
import { HostEvents } from './host-events.ts';

test('however much is wrong with a file, what is said of it fits a message', () => {
  const told: ComponentEvent[] = [];
  const append = (_row: unknown, _params: unknown, message: unknown) => void told.push(message as ComponentEvent);
  new HostEvents('web1', new Envelopes('web1', 1), { append }).announce('config-refused', 'a line\n'.repeat(100_000));
  expect(told).toMatchObject([{ kind: 'config-refused', reason: expect.stringMatching(/^a line\n/) }]);
  expect(told[0]?.reason.length).toBeLessThan(3_000);
});
