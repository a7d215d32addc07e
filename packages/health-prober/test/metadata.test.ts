/** Cloud metadata as a machine has it: in a network namespace of its own, where 169.254.169.254 answers. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const dist = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

const PROGRAM = `
import { createServer } from 'node:http';
import { once } from 'node:events';
import { probe } from ${dist('probes/dist/index.js')};
import { parseNetwork } from ${dist('health-prober/dist/core/address.js')};
import { whyNotAddress } from ${dist('health-prober/dist/core/reach.js')};
let requests = 0;
const server = createServer((_, response) => { requests += 1; response.end('the keys of the machine'); });
await once(server.listen(80, '169.254.169.254'), 'listening');
const place = { agentId: 'a', bootId: 'b', networkNamespace: '1' };
const told = [];
for (const url of ['http://169.254.169.254/latest/', 'http://[::ffff:a9fe:a9fe]/', 'http://metadata.test/']) {
  for (const allow of [[], [parseNetwork('169.254.169.254')]]) {
    const gate = {
      whyNot: (address) => whyNotAddress(address, place, place, { allow, deny: [] }),
      addressesOf: async () => [{ address: '169.254.169.254', family: 4 }],
    };
    const { status, reason } = await probe({ kind: 'http', url, gate }, AbortSignal.timeout(30_000));
    told.push(reason ?? status);
  }
}
console.log(JSON.stringify({ told, requests }));
process.exit(0);
`;

test('metadata answers only where it is allowed, by its address, a mapped one, or a name', async (context) => {
  const own = ['--net', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
  const setUp = 'ip link set lo up && ip address add 169.254.169.254/32 dev lo';
  try {
    execFileSync('unshare', [...own, 'sh', '-c', setUp], { stdio: 'ignore' });
  } catch {
    context.skip('needs a network namespace of its own: unshare --net, and ip');
  }
  const args = [...own, 'sh', '-c', `${setUp} && exec "$@"`, 'metadata', process.execPath];
  const { stdout } = await promisify(execFile)('unshare', [...args, '--input-type=module', '--eval', PROGRAM]);
  expect(JSON.parse(stdout)).toEqual({
    told: ['forbidden', 'up', 'forbidden', 'up', 'forbidden', 'up'],
    requests: 3,
  });
});
