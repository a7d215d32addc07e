import { z } from 'zod';
import { keys } from '../../buckets.ts';
import { Envelope } from '../../envelope.ts';
import type { Bus, Subscription } from '../bus.ts';
import { uuidv7 } from '../uuid.ts';
import type { SignedRevocations } from './revoke.ts';

/** What the bucket holds: the list as the root has signed it. */
const Entry = Envelope.extend({ list: z.string() });

/**
 * Puts the list where probers, dashboards and the next agent to come find it, unless a newer one is there. Whoever leads the
 * probers hands it on to the agents; `true` when it was put. @throws as `KvBucket.put`
 */
export async function publishRevocations(bus: Bus, { list, text }: SignedRevocations): Promise<boolean> {
  const config = bus.kv('config');
  for (;;) {
    const present = await config.get(keys.revocations());
    const entry = Entry.safeParse(present?.value);
    // What the root has not signed is no list, whatever it says of itself.
    const known = entry.success ? bus.revocations.read(entry.data.list) : undefined;
    if (known?.ok && known.value.version >= list.version) return false;
    const value = { id: uuidv7(), time: new Date().toISOString(), source: `${bus.role}/${bus.id}`, list: text };
    const put = await (present === undefined
      ? config.create(keys.revocations(), value)
      : config.update(keys.revocations(), value, present.revision));
    if (put !== undefined) return true;
  }
}

/** Keeps what this program knows of revoked keys up to date. `onList` is told each list that the root has signed. */
export function followRevocations(bus: Bus, onList: (list: SignedRevocations) => void = () => {}): Subscription {
  return bus.kv('config').watch(
    {
      onEntry: (_key, value) => {
        const entry = Entry.safeParse(value);
        const list = entry.success ? bus.revocations.read(entry.data.list) : undefined;
        if (!entry.success || !list?.ok) return;
        // Without a file there is nothing that could fail.
        void bus.revocations.offer(entry.data.list).catch(() => {});
        onList({ list: list.value, text: entry.data.list });
      },
      onReady: () => {},
      onReset: () => {},
    },
    keys.revocations(),
  );
}
