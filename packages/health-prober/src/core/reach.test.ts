import { expect, test } from 'vitest';
import { type Place, reachOf } from './reach.ts';

const own: Place = { agentId: 'agent-1', bootId: 'boot-1', networkNamespace: '4026531840' };
const here: Place = { ...own };

test.each([
  ['http://localhost:8001/api/health', here, true],
  ['http://127.0.0.1:8001/', here, true],
  ['http://user:secret@[::1]:8001/', here, true],
  ['http://localhost:8001/', { ...here, agentId: 'agent-2' }, false],
  ['http://localhost:8001/', { ...here, networkNamespace: '4026532000' }, false],
  ['http://api.localhost/', undefined, false],
  ['http://127.8.8.8/', undefined, false],
  ['http://[::ffff:127.0.0.1]/', undefined, false],
  ['http://0.0.0.0:80/', undefined, false],
  ['http://web7:8001/', undefined, true],
  ['http://localhost.example.com/', undefined, true],
  ['http://10.0.0.7/?next=http://localhost/', undefined, true],
])('%s with a host at %o is reached: %s', (url, host, canReach) => {
  expect(reachOf(url, host, own).canReach).toBe(canReach);
});

test.each([
  [{ agentId: 'agent-9', bootId: 'boot-1', networkNamespace: '4026531840' }, true],
  [{ agentId: 'agent-9', bootId: 'boot-2', networkNamespace: '4026531840' }, false],
  [{ agentId: 'agent-9', bootId: 'boot-1', networkNamespace: '4026532000' }, false],
])('a prober that no agent started compares boot and namespace: %o is reached: %s', (host, canReach) => {
  expect(reachOf('http://localhost/', host, { ...own, agentId: undefined }).canReach).toBe(canReach);
});
