import { type InstanceStatus, keys, NONE, type ServiceSpecEntry } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { CountedInstance } from '../core/recovery.ts';
import { Mirror } from './mirror.ts';

export interface FleetOptions {
  readonly bus: Bus;
  /** The instance, its status or its spec, has changed or (when it has no status any more) is gone. */
  readonly onChange: (key: string) => void;
}

/** What is configured and how it stands, on all hosts. */
export class Fleet {
  readonly #specs: Mirror<ServiceSpecEntry>;
  readonly #statuses: Mirror<InstanceStatus>;
  readonly #statusKeys = new KeysByHost();
  readonly #specKeys = new KeysByHost();

  constructor({ bus, onChange }: FleetOptions) {
    this.#specs = new Mirror(bus.kv('specs'), (key, spec) => {
      this.#specKeys.note(key, spec !== undefined);
      for (const instance of this.#instancesOf(key, spec?.instances ?? 1)) onChange(instance);
    });
    this.#statuses = new Mirror(bus.kv('status'), (key, status) => {
      this.#statusKeys.note(key, status !== undefined);
      onChange(key);
    });
  }

  get statuses(): ReadonlyMap<string, InstanceStatus> {
    return this.#statuses.entries;
  }

  get specs(): ReadonlyMap<string, ServiceSpecEntry> {
    return this.#specs.entries;
  }

  /** All that have an instance. */
  hosts(): Iterable<string> {
    return this.#statusKeys.hosts();
  }

  keysOn(host: string): Iterable<string> {
    return this.#statusKeys.of(host);
  }

  /** All that is stored of a host: by key, in which bucket, and the id of the value. */
  storedOn(host: string): ReadonlyMap<string, { readonly bucket: 'specs' | 'status'; readonly id: string }> {
    const entries = (
      bucket: 'specs' | 'status',
      keysOfHost: Iterable<string>,
      of: ReadonlyMap<string, { id: string }>,
    ) => [...keysOfHost].map((key) => [key, { bucket, id: of.get(key)?.id ?? '' }] as const);
    return new Map([
      ...entries('status', this.#statusKeys.of(host), this.statuses),
      ...entries('specs', this.#specKeys.of(host), this.specs),
    ]);
  }

  specOf({ host, service }: Pick<InstanceStatus, 'host' | 'service'>): ServiceSpecEntry | undefined {
    return this.#specs.entries.get(keys.spec(host, service));
  }

  /** Every instance, with whether it runs or starts as wanted, and is one that its service is configured to have. */
  *instances(): Iterable<CountedInstance> {
    for (const status of this.statuses.values()) {
      const { host, state, desired, instance } = status;
      const isUp = desired === 'up' && (state === 'running' || state === 'starting');
      yield { host, isUp, isConfigured: instance < (this.specOf(status)?.instances ?? 0) };
    }
  }

  /** The first snapshots are complete. */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#specs.ready(signal), this.#statuses.ready(signal)]);
  }

  stop(): void {
    this.#specs.stop();
    this.#statuses.stop();
  }

  #instancesOf(specKey: string, count: number): readonly string[] {
    const prefix = specKey.slice(0, -NONE.length);
    return Array.from({ length: Math.max(1, count) }, (_, instance) => `${prefix}${instance}`);
  }
}

/** Keys by their first token. */
class KeysByHost {
  readonly #keys = new Map<string, Set<string>>();

  note(key: string, isThere: boolean): void {
    const host = key.slice(0, key.indexOf('.'));
    const known = this.#keys.get(host) ?? new Set();
    if (isThere) known.add(key);
    else known.delete(key);
    if (known.size > 0) this.#keys.set(host, known);
    else this.#keys.delete(host);
  }

  hosts(): Iterable<string> {
    return this.#keys.keys();
  }

  of(host: string): Iterable<string> {
    return this.#keys.get(host) ?? [];
  }
}
