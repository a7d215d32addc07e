import type { ServiceSpec } from '@muster/contracts/config';
import type { Exit } from '../../core/exit.ts';
import { findPortOwner } from '../../host/listeners.ts';

/** A program that fails soon after its start often finds its port taken, and rarely says by whom. */
const SOON_MS = 15_000;

/** What else is known about an exit, for people; `undefined` when that is nothing. */
export function explainExit({ port }: Pick<ServiceSpec, 'port'>, exit: Exit, livedMs: number): string | undefined {
  if (port === undefined || exit.kind !== 'code' || exit.code === 0 || livedMs > SOON_MS) return undefined;
  const owner = findPortOwner(port);
  return owner === undefined ? undefined : `port ${port} is held by pid ${owner.pid} (${owner.name})`;
}
