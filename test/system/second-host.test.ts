/** An agent on another host joins a running system, over TLS, with nothing but the line that `muster host add` prints. */
import { eventually, startMusterSystem } from '@muster/testkit';
import { expect, test } from 'vitest';

interface HostRow {
  readonly host: string;
  readonly presence: string;
  readonly services: number;
}

test('a second agent joins, is shown, is commanded, and is missed when it goes', async () => {
  await using first = await startMusterSystem({ host: 'web1', listenHost: '0.0.0.0' });
  await first.waitUntilUp();
  const added = await first.cli('host', 'add', 'web2', '--url', first.busUrl);
  expect(added, added.stderr).toMatchObject({ code: 0 });
  // The server learns of new identities from the account, so nothing of the first host restarts.
  await using second = await startMusterSystem({
    host: 'web2',
    joinLine: added.stdout,
    services: 'services:\n  - name: worker\n    command: [sleep, "100000"]\n',
  });
  await second.waitUntilReady('worker');

  const hosts = async (): Promise<readonly HostRow[]> => {
    const response = await fetch(`${first.dashboardUrl}/api/dashboard-data`);
    return ((await response.json()) as { hosts: { rows: readonly HostRow[] } }).hosts.rows;
  };
  const rowOf = async (host: string) => (await hosts()).find((row) => row.host === host);
  await eventually(async () => (await rowOf('web2'))?.presence === 'heard', {
    message: 'web2 on the dashboard',
    timeoutMs: 60_000,
  });

  const restarted = await first.cli('restart', 'web2/worker', '--json');
  expect(restarted, restarted.stderr).toMatchObject({ code: 0 });
  await second.waitFor('worker', ({ generation, ready }) => generation === 2 && ready === 'yes', 'a second run');

  await second.killAgent();
  await eventually(async () => (await rowOf('web2'))?.presence !== 'heard', {
    message: 'web2 missed on the dashboard',
    timeoutMs: 60_000,
  });
  expect((await rowOf('web1'))?.presence).toBe('heard');
});
