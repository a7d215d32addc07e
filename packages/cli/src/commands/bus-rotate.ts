import { basename } from 'node:path';
import { parseIdentity } from '@muster/contracts';
import {
  type BusTrust,
  beginRotation,
  finishRotation,
  type Identity,
  identitiesIn,
  type Rotatable,
  replaceOperator,
  revoke,
} from '@muster/contracts/keys';
import { type Command, InvalidArgumentError } from 'commander';
import { signalServer } from '../bus/embedded-server.ts';
import { certificateAdvice, configurationAdvice, expectBusKeys, makeBusFiles } from '../bus/files.ts';
import { readRetentionOf } from '../bus/retention.ts';
import { claimState } from '../bus/state-folder.ts';
import { tellEverybody, tellServers } from '../bus/tell-servers.ts';
import type { Settings } from '../config.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { examples, JSON_FLAG, type JsonOptions } from './options.ts';

type What = Rotatable | 'operator';

interface RotateOptions extends JsonOptions {
  readonly finish?: true;
}

export function addRotate(bus: Command, act: Act): void {
  bus
    .command('rotate')
    .summary('replace a key while everything runs')
    .description(
      'Replaces a key of the bus in two steps: the first makes a new key beside the old one, and both count; --finish drops the old one. In between, hosts that joined get their new line (muster host add --keep-key). The operator is replaced in one step.',
    )
    .argument('<key>', 'account, root, ca, operator, or an identity such as agent-web2', parseWhat)
    .option('--finish', 'drop the old key')
    .option(JSON_FLAG, 'print JSON, for programs')
    .addHelpText('after', examples('muster bus rotate account', 'muster bus rotate account --finish'))
    .action(act(rotate));
}

function parseWhat(text: string): What {
  if (text === 'account' || text === 'root' || text === 'ca' || text === 'operator') return text;
  const identity = parseIdentity(text, '-');
  if (identity !== undefined) return identity;
  throw new InvalidArgumentError('Write account, root, ca, operator, or an identity such as agent-web2.');
}

async function rotate(
  what: What,
  { finish, json, ...flags }: RotateOptions,
  { terminal, readSettings, signal }: Context,
): Promise<ExitCode> {
  const settings = readSettings(flags);
  const { keysDir, environment } = settings;
  const name = typeof what === 'string' ? what : `${what.role}-${what.id}`;
  expectBusKeys(settings, `replace the key '${name}'`);
  claimState(settings, terminal);
  const retention = await readRetentionOf(settings, terminal);
  const identities = await identitiesIn(keysDir, environment);
  if (what === 'operator') await replaceOperator(keysDir);
  else if (finish) await finishRotation(keysDir, environment, what);
  else await beginRotation(keysDir, what);
  const files = await makeBusFiles(settings, identities, retention);
  const { created, trust } = files;
  terminal.note(...created.map((file) => `created ${file}`));
  const isOver = finish === true || what === 'operator';
  terminal.note(await takeIn(what, isOver, settings, trust));
  terminal.note(...certificateAdvice(files));
  if (created.some((path) => basename(path).endsWith('.jwt'))) terminal.note(...configurationAdvice(files));
  if (isOver && (what === 'root' || typeof what !== 'string')) {
    // The list of revoked keys has one more, or another signature.
    await tellEverybody(settings, await revoke({ directory: keysDir, environment, keys: [] }), signal);
  }
  const waiting = isOver ? [] : hostsToTell(what, identities, settings);
  if (json) {
    terminal.printJson({ key: name, step: isOver ? 'finished' : 'begun', hosts: waiting });
    return EXIT.ok;
  }
  terminal.print(isOver ? `'${name}' is replaced` : `'${name}' has a new key beside the old one: both count`);
  if (waiting.length > 0) {
    terminal.note(
      `give these hosts their new line (muster host add <host> --keep-key), to join again with it: ${waiting.join(', ')}`,
    );
  }
  if (!isOver) terminal.note(`then: muster bus rotate ${name} --finish`);
  return EXIT.ok;
}

/** Makes the running servers use what stands in the files now; with what was done. @throws CliError */
async function takeIn(what: What, isOver: boolean, settings: Settings, trust: BusTrust): Promise<string> {
  if (what === 'account') return `told nats-server ${(await tellServers(settings, trust)).join(', ')}`;
  if (typeof what !== 'string') {
    // The account knows a user by its signature: only the end of the old one must be told.
    if (!isOver) return 'the new credentials are used at the next connection';
    return `told nats-server ${(await tellServers(settings, trust)).join(', ')}: it has closed the old connection`;
  }
  const signal = what === 'ca' ? 'SIGHUP' : 'SIGTERM';
  const verb = what === 'ca' ? 'reload' : 'restart';
  if (await signalServer(settings, signal)) return `nats-server: ${verb}`;
  return `no nats-server of this clone runs: ${verb} each server of the bus with the new files`;
}

/** Hosts that joined, and must be given what the new key has signed before the old one is dropped. */
function hostsToTell(what: What, identities: readonly Identity[], { hostId }: Settings): readonly string[] {
  return identities
    .filter(({ role, id }) => role === 'agent' && id !== hostId)
    .filter(({ id }) => typeof what === 'string' || (what.role === 'agent' && what.id === id))
    .map(({ id }) => id);
}
