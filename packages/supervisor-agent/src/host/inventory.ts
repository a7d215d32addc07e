import { readFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import type { HostInventory } from '@muster/contracts';
import { messageOf } from '@muster/contracts';
import si from 'systeminformation';
import { abortable } from '../abortable.ts';
import { parseOsRelease } from './parse-proc.ts';

export type InventoryResult =
  | { readonly kind: 'inventory'; readonly inventory: HostInventory }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Never rejects: an agent runs as well without an inventory. Abort `signal` to give up. Loads a large library and runs
 * programs, partly synchronously, so an agent has it done by a process of its own (ask-inventory.ts).
 */
export async function readInventory(signal: AbortSignal): Promise<InventoryResult> {
  try {
    const [cpu, os, memory, system] = await abortable(readFacts(), signal);
    return {
      kind: 'inventory',
      inventory: {
        cpuModel: [cpu.manufacturer, cpu.brand].filter(Boolean).join(' '),
        cores: cpu.cores,
        physicalCores: cpu.physicalCores,
        os,
        kernel: release(),
        architecture: arch(),
        memoryTotalBytes: memory.total,
        ...(system.virtual && { virtualization: system.virtualHost || 'unknown' }),
      },
    };
  } catch (error) {
    const reason = messageOf(error);
    return { kind: 'failed', reason: `cannot read the inventory of this host: ${reason}` };
  }
}

async function readFacts() {
  // Not si.osInfo(): it waits for `hostname -f`, which can take long where names are not resolved.
  return Promise.all([si.cpu(), readOsName(), si.mem(), si.system()]);
}

/** Empty where the distribution does not say. */
async function readOsName(): Promise<string> {
  return parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
}
