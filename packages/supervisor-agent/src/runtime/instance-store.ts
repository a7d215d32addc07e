/**
 * What must outlive the agent about each instance: what somebody wants of it, its generation and its restart tracker.
 * One small file each, replaced before anything acts on the change.
 */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readFileIfAny, replaceFile } from '../atomic-file.ts';
import type { Memory } from '../core/state.ts';

const SavedMemory = z.object({
  /** Monotonic times count from a boot: of another boot they are void. */
  bootId: z.string(),
  desired: z.enum(['up', 'down']),
  generation: z.int().min(0),
  tracker: z.object({ restartsAtMs: z.array(z.number()), streak: z.int().min(0) }),
  failure: z.string().nullable(),
  /** The run that got past its startup: after adoption it is not asked to start once more. */
  startedGeneration: z.int().min(0),
});

export type SavedInstance = Partial<Memory> & { readonly startedGeneration?: number };

export class InstanceStore {
  readonly #directory: string;
  readonly #bootId: string;
  readonly #desired = new Map<string, string>();

  constructor(directory: string, bootId: string) {
    this.#directory = directory;
    this.#bootId = bootId;
  }

  /** What was saved, as far as it still holds: intent and generation survive a reboot, the rest does not. */
  load(service: string, instance: number): SavedInstance {
    const text = readFileIfAny(this.#fileOf(service, instance));
    if (text === undefined) return {};
    const saved = parse(text);
    if (saved === undefined) return {};
    this.#desired.set(keyOf(service, instance), saved.desired);
    const { bootId, ...memory } = saved;
    if (bootId === this.#bootId) return memory;
    return { desired: memory.desired, generation: memory.generation };
  }

  /** Replaces what was saved. A changed intent also waits for the disk: it is what a reboot must not forget. */
  save(service: string, instance: number, memory: Memory, startedGeneration: number): void {
    const { desired, generation, tracker, failure } = memory;
    const key = keyOf(service, instance);
    const isDurable = (this.#desired.get(key) ?? 'up') !== desired;
    const saved: z.infer<typeof SavedMemory> = {
      bootId: this.#bootId,
      desired,
      generation,
      tracker: { restartsAtMs: [...tracker.restartsAtMs], streak: tracker.streak },
      failure,
      startedGeneration,
    };
    replaceFile(this.#fileOf(service, instance), JSON.stringify(saved), { isDurable });
    this.#desired.set(key, desired);
  }

  /** Forgets the instances that are no longer configured. */
  prune(configured: ReadonlySet<string>): void {
    let names: string[];
    try {
      names = readdirSync(this.#directory);
    } catch {
      return; // nothing was ever saved
    }
    for (const name of names) {
      const key = name.replace(/\.json$/, '');
      if (!configured.has(key)) rmSync(path.join(this.#directory, name), { force: true });
    }
  }

  #fileOf(service: string, instance: number): string {
    return path.join(this.#directory, `${keyOf(service, instance)}.json`);
  }
}

/** `<service>.<instance>`, as in file names and KV keys. */
export function keyOf(service: string, instance: number): string {
  return `${service}.${instance}`;
}

function parse(text: string): z.infer<typeof SavedMemory> | undefined {
  try {
    return SavedMemory.parse(JSON.parse(text));
  } catch {
    // Written by hand or by another version. Starting over costs a budget's count; refusing to start costs the service.
    return undefined;
  }
}
