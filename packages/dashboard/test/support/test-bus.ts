import { TestBus } from '@muster/contracts/testing';

export const ENVIRONMENT = 'test';

export function startTestBus(): Promise<TestBus> {
  return TestBus.start([
    { role: 'agent', id: 'web1' },
    { role: 'prober', id: 'main' },
    { role: 'dashboard', id: 'main' },
  ]);
}
