import type { InstanceKey } from '../driver.ts';
import type { ProcessTable, TableRow } from './process-table.ts';
import { isSameInstance, type RunTag } from './tag.ts';

/** A process by what its tag says. */
export interface RunProcess {
  readonly pid: number;
  readonly generation: number;
}

/**
 * Tagged processes that were alive before this agent started anything. Agents start with many instances to ask for, so
 * every process is looked at once; only an instance that showed up then is looked for anew. That is enough: what an
 * earlier agent left can multiply, but not appear from nothing.
 */
export class FirstLook {
  readonly #table: ProcessTable;
  #seen: Promise<ReadonlySet<string>> | undefined;

  constructor(table: ProcessTable) {
    this.#table = table;
  }

  /** Live processes with this instance's tag. Only for an instance that this agent never started. */
  async find(key: InstanceKey): Promise<RunProcess[]> {
    this.#seen ??= this.#table.fresh().then((rows) => new Set(tagged(rows).map(({ tag }) => nameOf(tag))));
    const seen = await this.#seen;
    if (!seen.has(nameOf(key))) return [];
    return tagged(await this.#table.fresh())
      .filter(({ tag }) => isSameInstance(tag, key))
      .map(({ pid, tag }) => ({ pid, generation: tag.generation }));
  }
}

function tagged(rows: readonly TableRow[]): { pid: number; tag: RunTag }[] {
  return rows.flatMap(({ pid, tag }) => (tag === undefined ? [] : [{ pid, tag }]));
}

function nameOf({ agentId, service, instance }: InstanceKey): string {
  return `${agentId}/${service}/${instance}`;
}
