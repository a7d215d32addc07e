import type { InstanceKey } from '../driver.ts';
import { listTagged } from './proc.ts';
import { findTagged } from './tree.ts';

/**
 * Tagged processes that were alive before this agent started anything. Agents start with many instances to ask for, so
 * every process is looked at once; only an instance that showed up then is looked for anew. That is enough: what an
 * earlier agent left can multiply, but not appear from nothing.
 */
export class FirstLook {
  #seen: ReadonlySet<string> | undefined;

  /** Live processes with this instance's tag. Only for an instance that this agent never started. */
  find(key: InstanceKey): { pid: number; generation: number }[] {
    this.#seen ??= new Set(listTagged().map(({ tag }) => nameOf(tag)));
    return this.#seen.has(nameOf(key)) ? findTagged(key) : [];
  }
}

function nameOf({ agentId, service, instance }: InstanceKey): string {
  return `${agentId}/${service}/${instance}`;
}
