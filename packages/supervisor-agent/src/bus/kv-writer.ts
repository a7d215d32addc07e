/**
 * Keeps an agent's keys in one bucket equal to what it says here. An agent cannot read the bucket, so it writes down
 * which keys it has put; whenever the bus is back it puts all of them again and deletes those that are gone.
 */
import { InvalidMessageError, type KvBucket, MessageTooLargeError, type Subscription } from '@muster/contracts/bus';
import { readIfPresent, replaceFile } from '@muster/contracts/files';

/** Puts under way at a time. */
const MAX_PUTS = 16;
const RETRY_MS = 500;

export interface KvWriterOptions<V> {
  readonly bucket: Pick<KvBucket<V>, 'put' | 'delete'>;
  /** Where the keys are written down. */
  readonly journalFile: string;
  readonly isConnected: () => boolean;
  /** Told of each failure, and whether it is the first of a row. */
  readonly onProblem: (error: unknown, isFirst: boolean) => void;
}

export class KvWriter<V> implements Subscription {
  readonly #options: KvWriterOptions<V>;
  readonly #values = new Map<string, V>();
  /** Keys that a former agent put and that this one has not said anything about. */
  readonly #former: Set<string>;
  readonly #dirty = new Set<string>();
  readonly #putting = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #pumpLater: NodeJS.Immediate | undefined;
  /** A key is known here that the journal does not have: it must not be put yet. */
  #isJournalStale = false;
  #isFailing = false;
  #isStopped = false;
  #onIdle: (() => void)[] = [];

  constructor(options: KvWriterOptions<V>) {
    this.#options = options;
    this.#former = new Set(readKeys(options.journalFile));
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  set(key: string, value: V): void {
    const isNew = !this.#values.has(key);
    this.#values.set(key, value);
    if (isNew) {
      this.#former.delete(key);
      this.#isJournalStale = true;
    }
    this.#dirty.add(key);
    // At the end of the turn: at a start all keys are new, and the journal is written once for all of them.
    this.#pumpLater ??= setImmediate(() => {
      this.#pumpLater = undefined;
      this.#pump();
    });
  }

  /** All that this agent has to say is said: what only a former one put is deleted. */
  dropFormer(): void {
    for (const key of this.#former) this.#dirty.add(key);
    this.#pump();
  }

  /** The bus is back, and what it lost is not known. */
  resync(): void {
    for (const key of this.#values.keys()) this.#dirty.add(key);
    for (const key of this.#former) this.#dirty.add(key);
    this.#pump();
  }

  /** Settles once all that was said is put. @throws the signal's reason when that is over first */
  async flushed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isIdle()) return;
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort);
      this.#onIdle.push(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  #isIdle(): boolean {
    return this.#dirty.size === 0 && this.#putting.size === 0;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    clearImmediate(this.#pumpLater);
  }

  #pump(): void {
    if (this.#isStopped || this.#retry !== undefined || !this.#options.isConnected()) return;
    try {
      if (this.#isJournalStale) this.#writeDown();
    } catch (error) {
      // A full disk, for one: the keys wait, and supervision goes on.
      this.#tryAgainLater(error);
      return;
    }
    for (const key of this.#dirty) {
      if (this.#putting.size >= MAX_PUTS) return;
      // One put at a time for each key, or an older value could land last.
      if (this.#putting.has(key)) continue;
      this.#dirty.delete(key);
      this.#putting.add(key);
      void this.#send(key);
    }
  }

  async #send(key: string): Promise<void> {
    const value = this.#values.get(key);
    try {
      if (value === undefined) {
        await this.#options.bucket.delete(key);
        this.#former.delete(key);
        this.#writeDown();
      } else {
        await this.#options.bucket.put(key, value);
      }
      this.#isFailing = false;
    } catch (error) {
      if (error instanceof MessageTooLargeError || error instanceof InvalidMessageError) {
        // Said again it would be refused again, and hold up the others.
        this.#options.onProblem(error, true);
      } else {
        this.#dirty.add(key);
        this.#tryAgainLater(error);
      }
    } finally {
      this.#putting.delete(key);
    }
    this.#pump();
    if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #tryAgainLater(error: unknown): void {
    const isFirst = !this.#isFailing;
    this.#isFailing = true;
    this.#options.onProblem(error, isFirst);
    if (this.#isStopped) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, RETRY_MS);
  }

  #writeDown(): void {
    const keys = [...this.#values.keys(), ...this.#former];
    replaceFile(this.#options.journalFile, JSON.stringify(keys), { isDurable: false });
    this.#isJournalStale = false;
  }
}

function readKeys(file: string): string[] {
  try {
    const keys: unknown = JSON.parse(readIfPresent(file) ?? '[]');
    return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
  } catch {
    return [];
  }
}
