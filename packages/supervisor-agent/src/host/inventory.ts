import type { HostInventory } from '@muster/contracts';
import si from 'systeminformation';

export type InventoryResult =
  | { readonly kind: 'inventory'; readonly inventory: HostInventory }
  | { readonly kind: 'failed'; readonly reason: string };

/** Never rejects: an agent runs as well without an inventory. Abort `signal` to give up. */
export async function readInventory(signal: AbortSignal): Promise<InventoryResult> {
  try {
    const facts = Promise.all([si.cpu(), si.osInfo(), si.mem(), si.system()]);
    const [cpu, os, memory, system] = await Promise.race([facts, rejectOnAbort(signal)]);
    return {
      kind: 'inventory',
      inventory: {
        cpuModel: [cpu.manufacturer, cpu.brand].filter(Boolean).join(' '),
        cores: cpu.cores,
        physicalCores: cpu.physicalCores,
        os: [os.distro, os.release].filter(Boolean).join(' '),
        kernel: os.kernel,
        architecture: os.arch,
        memoryTotalBytes: memory.total,
        ...(system.virtual && { virtualization: system.virtualHost || 'unknown' }),
      },
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', reason: `cannot read the inventory of this host: ${reason}` };
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
