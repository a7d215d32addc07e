/** A real account on this machine, gone again when the test is over. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { isRoot } from '@muster/testkit';
import { expect, test } from 'vitest';
import { AccountError, ensureAccount } from '../../src/confine/accounts.ts';

const run = promisify(execFile);

test('an account that is missing is made once, by whoever comes first, and nobody can log in to it', async (context) => {
  context.skip(!isRoot, 'needs root, to make an account');
  const name = `muster-test-${process.pid}`;
  const made: string[] = [];
  const ensure = () => ensureAccount(name, (account) => made.push(account));
  try {
    const [first, ...others] = await Promise.all([ensure(), ensure(), ensure()]);
    for (const other of [...others, await ensure()]) expect(other).toEqual(first);
    expect(made).toEqual([name]);
    expect(first).toMatchObject({ name, home: '/nonexistent' });
    expect(first.uid).toBeGreaterThan(0);
    expect(first.uid, "among the system's own").toBeLessThan(1_000);
    const lineIn = (file: string) => readFileSync(file, 'utf8').match(new RegExp(`^${name}:.*$`, 'm'))?.[0];
    expect(lineIn('/etc/passwd')).toMatch(/nologin$/);
    expect(lineIn('/etc/shadow')?.split(':')[1], 'no password fits').toMatch(/^[!*]+$/);
  } finally {
    await run('userdel', [name]).catch(() => {});
  }
});

test('a name that no account can have is refused, with what would do', async () => {
  await expect(ensureAccount('no:name', () => {})).rejects.toThrow(AccountError);
  await expect(ensureAccount('no:name', () => {})).rejects.toThrow(
    /^cannot make the system user 'no:name': .*name users that are there, or root, under run_as in agent\.yaml$/,
  );
});
