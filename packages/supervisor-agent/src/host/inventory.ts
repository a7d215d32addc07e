import { readFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import type { HostInventory } from '@muster/contracts';
import si from 'systeminformation';
import { parseOsRelease } from './parse-proc.ts';

export type InventoryResult =
  | { readonly kind: 'inventory'; readonly inventory: HostInventory }
  | { readonly kind: 'failed'; readonly reason: string };

/** Never rejects: an agent runs as well without an inventory. Abort `signal` to give up. */
export async function readInventory(signal: AbortSignal): Promise<InventoryResult> {
  try {
    // Not si.osInfo(): it waits for `hostname -f` synchronously, and with it everything that the agent does.
    const facts = Promise.all([si.cpu(), readOsName(), si.mem(), si.system()]);
    const [cpu, os, memory, system] = await Promise.race([facts, rejectOnAbort(signal)]);
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
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', reason: `cannot read the inventory of this host: ${reason}` };
  }
}

/** Empty where the distribution does not say. */
async function readOsName(): Promise<string> {
  return parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
