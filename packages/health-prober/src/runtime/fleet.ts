import { type InstanceStatus, keys, NONE, type ServiceSpecEntry } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
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
  readonly #byHost = new Map<string, Set<string>>();

  constructor({ bus, onChange }: FleetOptions) {
    this.#specs = new Mirror(bus.kv('specs'), (key, spec) => {
      for (const instance of this.#instancesOf(key, spec?.instances ?? 1)) onChange(instance);
    });
    this.#statuses = new Mirror(bus.kv('status'), (key, status) => {
      this.#index(key, status !== undefined);
      onChange(key);
    });
  }

  get statuses(): ReadonlyMap<string, InstanceStatus> {
    return this.#statuses.entries;
  }

  /** All that have an instance. */
  hosts(): Iterable<string> {
    return this.#byHost.keys();
  }

  keysOn(host: string): Iterable<string> {
    return this.#byHost.get(host) ?? [];
  }

  specOf({ host, service }: Pick<InstanceStatus, 'host' | 'service'>): ServiceSpecEntry | undefined {
    return this.#specs.entries.get(keys.spec(host, service));
  }

  /** The first snapshots are complete. */
  async ready(): Promise<void> {
    await Promise.all([this.#specs.ready(), this.#statuses.ready()]);
  }

  stop(): void {
    this.#specs.stop();
    this.#statuses.stop();
  }

  #instancesOf(specKey: string, count: number): readonly string[] {
    const prefix = specKey.slice(0, -NONE.length);
    return Array.from({ length: Math.max(1, count) }, (_, instance) => `${prefix}${instance}`);
  }

  #index(key: string, isThere: boolean): void {
    const host = key.slice(0, key.indexOf('.'));
    const known = this.#byHost.get(host) ?? new Set();
    if (isThere) known.add(key);
    else known.delete(key);
    if (known.size > 0) this.#byHost.set(host, known);
    else this.#byHost.delete(host);
  }
}
