import { keys } from '../../buckets.ts';
import { NONE } from '../../ids.ts';
import type { ConfigEntry } from '../../messages/stored.ts';
import type { Bus, Subscription } from '../bus.ts';
import { uuidv7 } from '../uuid.ts';
import type { SignedRevocations } from './revocations.ts';

/**
 * Puts the list where probers, dashboards and the next agent to come find it, unless a newer one is there. Whoever leads the
 * probers hands it on to the agents; `true` when it was put. @throws as `KvBucket.put`
 */
export async function publishRevocations(bus: Bus, { list, text }: SignedRevocations): Promise<boolean> {
  const config = bus.kv('config');
  const source = `${bus.role}/${bus.id}`;
  for (;;) {
    const present = await config.get(keys.revocations());
    const known = present === undefined ? undefined : listIn(bus, present.value);
    if (known !== undefined && known.list.version >= list.version) return false;
    const value: ConfigEntry = {
      id: uuidv7(),
      time: new Date().toISOString(),
      source,
      kind: 'revocations',
      host: NONE,
      content: text,
      origin: 'apply',
      appliedBy: source,
    };
    const put = await (present === undefined
      ? config.create(keys.revocations(), value)
      : config.update(keys.revocations(), value, present.revision));
    if (put !== undefined) return true;
  }
}

/**
 * Keeps what this program knows of revoked keys up to date. `onList` is told each list that the root has signed. With
 * `isKeeper` a store that was restored, and has an older list or none, gets the newest that is known here.
 */
export function followRevocations(
  bus: Bus,
  onList: (list: SignedRevocations) => void = () => {},
  { isKeeper = false } = {},
): Subscription {
  const putBack = () => {
    const { text } = bus.revocations;
    const known = text === undefined ? undefined : bus.revocations.read(text);
    if (!isKeeper || text === undefined || !known?.ok) return;
    // Told again with the next connection, where it fails.
    publishRevocations(bus, { list: known.value, text }).catch(() => {});
  };
  return bus.kv('config').watch(
    {
      onEntry: (_key, value) => {
        const list = value === undefined ? undefined : listIn(bus, value);
        if (list === undefined) return;
        // Without a file there is nothing that could fail.
        void bus.revocations.offer(list.text).catch(() => {});
        onList(list);
      },
      onReady: putBack,
      onReset: () => {},
    },
    keys.revocations(),
  );
}

/** What the root has not signed is no list, whatever it says of itself. */
function listIn(bus: Bus, { content }: ConfigEntry): SignedRevocations | undefined {
  const read = bus.revocations.read(content);
  return read.ok ? { list: read.value, text: content } : undefined;
}
