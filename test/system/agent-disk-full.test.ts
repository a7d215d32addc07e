/** The disk of a host is full: its agent goes on, and can be told what to do; killed, it is followed by one that does so, too. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type ComponentEvent, rows } from '@muster/contracts';
import { credentialsFile } from '@muster/contracts/files';
import { eventually, seededRandom, startSmallDisk, temporaryDirectory, whyNoSmallDisk } from '@muster/testkit';
import { expect, test } from 'vitest';
import { startHub } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';

const DISK_MIB = 16;
const CRASHES = 10;

test('an agent on a full disk can be killed, and the next one goes on there', async (context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  const random = seededRandom(newSeed('agent-disk-full'));
  await using disk = await startSmallDisk(DISK_MIB);
  await using hub = await startHub({ hosts: ['web1'] });
  await using files = await temporaryDirectory();
  const ledger = new Ledger(files.path, ['alpha', 'beta']);
  await using system = await hub.join('web1', ledger.services, { stateDir: path.join(disk.seenPath, 'state') });
  await using bus = await hub.connect();
  const problems: ComponentEvent[] = [];
  bus.subscribe(rows.hostEvent, { host: 'web1' }, (event) => {
    if (event.kind === 'problem' || event.kind === 'recovered') problems.push(event);
  });
  /** As an operator elsewhere asks: what is needed for it does not lie on the full disk. */
  const muster = async (...args: readonly string[]) => {
    const creds = credentialsFile(hub.keysDir, { role: 'operator', id: 'cli' });
    const { code, stderr } = await system.cli(...args, '--creds', creds);
    expect(code, stderr).toBe(0);
  };
  const crashSome = async () => {
    for (let crash = 0; crash < CRASHES; crash += 1) {
      await ledger.crash(random);
      await ledger.alive();
    }
  };
  await ledger.settled(system);

  await disk.fill();
  await crashSome();
  await eventually(() => problems.at(-1)?.reason.includes('disk'), { message: 'a word of the full disk' });
  await muster('stop', 'beta');
  await muster('start', 'beta');

  await ledger.alive();
  const before = await ledger.pids();
  await system.killAgent();
  await system.startAgent();
  await eventually(() => system.output.includes('the disk is full'), { message: 'a start on the reserve' });
  await muster('status');
  expect(await ledger.pids(), 'nothing was touched').toEqual(before);
  // What the first agent has not used of it is gone as well.
  await disk.fill();
  await crashSome();
  await muster('stop', 'beta');
  await muster('start', 'beta');

  await disk.makeRoom();
  await ledger.settled(system);
  await expectWholeStory(ledger, system, bus);
  await eventually(() => problems.at(-1)?.kind === 'recovered', { message: 'a word of the room there is' });
  await eventually(async () => (await readFile(path.join(system.stateDir, 'reserve'))).length > 0, {
    message: 'room for the next time',
  });
});
