import type { z } from 'zod';
import { type Bucket, kvStream, kvSubject } from '../buckets.ts';
import type { KvBucket, KvHandlers, Subscription } from './bus.ts';
import { encodeMessage } from './codec.ts';
import {
  BadReplyError,
  InvalidMessageError,
  NoResponderError,
  NoStreamError,
  WrongLastSequenceError,
} from './errors.ts';
import { isDeletion, KV_OPERATION, readEntry, whyNotOfKey } from './kv-entry.ts';
import { KvWatch } from './kv-watch.ts';
import { store } from './ordered-publish.ts';
import { isStoredServerCopy, SERVER_COPY } from './server-copy.ts';
import type { ReaderDependencies } from './stream-reader.ts';
import { Tally } from './tally.ts';

const READ_TIMEOUT_MS = 5_000;
const EMPTY = new Uint8Array();
const DELETION = { [KV_OPERATION]: 'DEL' };

interface LastEntry {
  readonly data: Uint8Array;
  readonly seq: number;
  readonly isDeleted: boolean;
  readonly isServerCopy: boolean;
}

/** One bucket. Writes are plain publishes, which an identity without the JetStream API may make too. */
export class Kv<S extends z.ZodType> implements KvBucket<z.output<S>> {
  readonly #dependencies: ReaderDependencies;
  readonly #tally: Tally;
  /** As the server has it. */
  readonly #name: string;
  readonly #bucket: Bucket<S>;

  constructor(dependencies: ReaderDependencies, tally: Tally, name: string, bucket: Bucket<S>) {
    this.#dependencies = dependencies;
    this.#tally = tally;
    this.#name = name;
    this.#bucket = bucket;
  }

  async put(key: string, value: z.output<S>): Promise<{ revision: number }> {
    return this.#write(key, value, undefined);
  }

  async delete(key: string): Promise<void> {
    await store(this.#dependencies.inbox, this.#subject(key), EMPTY, { headers: DELETION });
  }

  async deleteRevision(key: string, revision: number): Promise<boolean> {
    const conditions = { headers: DELETION, expectedLastSeq: revision };
    try {
      await store(this.#dependencies.inbox, this.#subject(key), EMPTY, conditions);
      return true;
    } catch (error) {
      if (error instanceof WrongLastSequenceError) return false;
      throw error;
    }
  }

  async create(key: string, value: z.output<S>): Promise<{ revision: number } | undefined> {
    const created = await this.update(key, value, 0);
    if (created !== undefined) return created;
    // A key that was deleted leaves its marker, which is the last sequence of the subject. What nobody can read is no entry:
    // else whoever has the server put something there would keep the key from everybody.
    const last = await this.#last(key);
    if (last === undefined || !(last.isDeleted || this.#isUnreadable(key, last))) return undefined;
    return this.update(key, value, last.seq);
  }

  async unreadable(key: string): Promise<number | undefined> {
    const last = await this.#last(key);
    return last !== undefined && !last.isDeleted && this.#isUnreadable(key, last) ? last.seq : undefined;
  }

  async update(key: string, value: z.output<S>, revision: number): Promise<{ revision: number } | undefined> {
    try {
      return await this.#write(key, value, revision);
    } catch (error) {
      if (error instanceof WrongLastSequenceError) return undefined;
      throw error;
    }
  }

  async get(key: string): Promise<{ value: z.output<S>; revision: number } | undefined> {
    const last = await this.#last(key);
    if (last === undefined || last.isDeleted) return undefined;
    if (last.isServerCopy) {
      this.#tally.problem('forged', this.#subject(key), SERVER_COPY);
      return undefined;
    }
    const value = readEntry(this.#bucket, key, { subject: this.#subject(key), data: last.data }, this.#tally);
    return value === undefined ? undefined : { value, revision: last.seq };
  }

  watch(handlers: KvHandlers<z.output<S>>, filter = '>'): Subscription {
    return new KvWatch(this.#dependencies, this.#tally, {
      name: this.#name,
      bucket: this.#bucket,
      filter,
      handlers,
    });
  }

  /** Also what belongs to another key. Asked where it is counted already. */
  #isUnreadable(key: string, { data, isServerCopy }: LastEntry): boolean {
    const entry = { subject: this.#subject(key), data };
    return isServerCopy || readEntry(this.#bucket, key, entry, new Tally()) === undefined;
  }

  async #write(key: string, value: z.output<S>, expectedLastSeq: number | undefined): Promise<{ revision: number }> {
    const subject = this.#subject(key);
    const { schema, maxBytes } = this.#bucket;
    const foreign = whyNotOfKey(this.#bucket, key, value);
    if (foreign !== undefined) throw new InvalidMessageError(subject, [foreign]);
    const payload = encodeMessage(schema, subject, value as z.input<S>, maxBytes);
    const expectation = expectedLastSeq === undefined ? {} : { expectedLastSeq };
    const { seq } = await store(this.#dependencies.inbox, subject, payload, expectation);
    return { revision: seq };
  }

  /** The last entry of the key, deletions included. */
  async #last(key: string): Promise<LastEntry | undefined> {
    const subject = this.#subject(key);
    const call = `$JS.API.DIRECT.GET.${kvStream(this.#name)}.${subject}`;
    const { data, headers } = await this.#dependencies.inbox
      .ask(call, EMPTY, { timeoutMs: READ_TIMEOUT_MS })
      .catch((error: unknown) => {
        throw error instanceof NoResponderError ? new NoStreamError(subject) : error;
      });
    if (headers?.code === 404) return undefined;
    const seq = Number(headers?.get('Nats-Sequence') ?? 0);
    if (seq === 0) throw new BadReplyError(subject, headers?.description ?? 'no sequence');
    return { data, seq, isDeleted: isDeletion(headers), isServerCopy: isStoredServerCopy(headers) };
  }

  #subject(key: string): string {
    // What is not a plain key could name other keys, or another subject altogether.
    if (!/^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*$/.test(key)) throw new TypeError(`cannot use '${key}' as a key`);
    return kvSubject(this.#name, key);
  }
}
