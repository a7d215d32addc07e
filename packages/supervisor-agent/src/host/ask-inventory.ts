import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HostInventory, messageOf } from '@muster/contracts';
import type { InventoryResult } from './inventory.ts';

/** The agent's main file prints the inventory and ends when this is its first argument. */
const INVENTORY_ARGUMENT = '--inventory';

/**
 * The inventory from a process of its own, which takes the library's memory with it when it ends. `program`: the agent's
 * main file. Never rejects; abort `signal` to give up.
 */
export async function askInventory(program: string, signal: AbortSignal): Promise<InventoryResult> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, INVENTORY_ARGUMENT], { signal });
    return { kind: 'inventory', inventory: HostInventory.parse(JSON.parse(stdout)) };
  } catch (error) {
    return { kind: 'failed', reason: `cannot read the inventory of this host: ${messageOf(error)}` };
  }
}
