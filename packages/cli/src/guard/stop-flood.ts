import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RetentionChanges } from '@muster/contracts';
import type { PurgedStore } from '@muster/contracts/admin';
import { type NatsBus, publishRevocations } from '@muster/contracts/bus';
import { type Identity, ROOT_KEY_FILE } from '@muster/contracts/keys';
import { configurationAdvice, makeBusFiles } from '../bus/files.ts';
import { ownIdentities } from '../bus/identities.ts';
import { tellServers } from '../bus/tell-servers.ts';
import type { Settings } from '../config.ts';
import { voidKeysOf } from '../hosts/void-keys.ts';

/** Are the keys here that make a revocation count? */
export function canRevoke({ keysDir }: Settings): boolean {
  return [ROOT_KEY_FILE, 'operator.nk', 'account.nk', 'system.nk'].every((file) => existsSync(join(keysDir, file)));
}

/** Does its program run on this machine, with what lies here? */
export function isOwn({ role, id }: Identity, { hostId }: Settings): boolean {
  return ownIdentities(hostId).some((own) => own.role === role && own.id === id);
}

export interface StopOptions {
  readonly settings: Settings;
  readonly retention: RetentionChanges;
  readonly bus: NatsBus;
}

/**
 * Cuts an identity off: its connections are closed, and its keys let nobody in again. Who belongs to this machine is given a new
 * key, which its program takes by itself: what floods with the old one is somebody else. Resolves with what was done, and
 * what is still to do.
 */
export async function cutOff(
  identity: Identity,
  seenKey: string | undefined,
  { settings, retention, bus }: StopOptions,
): Promise<{ readonly text: string; readonly advice: readonly string[] }> {
  const { revocations } = await voidKeysOf(identity, 'flooded the bus', settings, seenKey);
  const isHere = isOwn(identity, settings);
  const files = await makeBusFiles(settings, isHere ? [identity] : [], retention);
  const servers = await tellServers(settings, files.trust);
  await publishRevocations(bus, revocations);
  const name = `${identity.role}/${identity.id}`;
  return {
    text: `${name} is cut off: its keys are void at nats-server ${servers.join(', ')}${isHere ? '; its program here has a new one' : ''}`,
    advice: [
      ...configurationAdvice(files),
      ...(isHere ? [] : [`find out who used the keys of ${name} before you let it in again: ${howToReturn(identity)}`]),
    ],
  };
}

function howToReturn({ role, id }: Identity): string {
  if (role === 'agent') return `muster host add ${id}, and its line on that host`;
  return `muster bus keys, and copy its credentials to where it runs`;
}

/** For who has to do it by hand. */
export function howToCutOff({ role, id }: Identity): string {
  return `muster ${role === 'agent' ? `host remove ${id}` : `bus rotate ${role}-${id}`}`;
}

export function purgedText({ stream, messages, isWhole }: PurgedStore): string {
  return `${messages} messages in ${stream}${isWhole ? ', which is all it had there' : ''}`;
}
