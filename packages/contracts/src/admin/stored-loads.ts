/*
 * Looks after what the servers keep: whether every stream and bucket is there and as it must be, and who has written to it.
 *
 * A server does not count bytes by sender. So of what was written since the last look some messages are drawn, and what the
 * stream has grown by is shared out by them: who floods is most of the draw, and who only works is charged by chance, and little.
 * Subjects count, which no server counts for a connection.
 *
 * Whose subject it is does not say who brought it there: the server's own acknowledgements can be aimed at any subject. So what is
 * found here is a hint, which the counters of that sender's connections must bear out, and acknowledgements are charged to nobody.
 */
import type { StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { NoStreamError } from '../bus/errors.ts';
import type { NatsBus } from '../bus/nats-bus.ts';
import { hostStores, meteredSender } from '../host-subjects.ts';
import { FLOOD_HEADROOM_BYTES, type RetentionChanges } from '../streams.ts';
import { isAcknowledgement } from './acknowledgement.ts';
import { differencesOf } from './setup.ts';
import { type Drawn, type Growth, shareOut } from './share-out.ts';
import { wantedStreams } from './wanted-streams.ts';

/** Messages drawn of one stream at one look. */
const DRAWN = 24;
/** Less is not looked into. */
const MIN_WRITTEN = 16;
/** So much less at once is no message's age: somebody has emptied it. */
const EMPTIED_RATIO = 0.5;
const MIN_EMPTIED = 100;

/** One that holds more than it is configured to, and up to where it would be trimmed. */
export interface Overfull {
  readonly stream: string;
  readonly belowSeq: number;
}

/** What one sender has, as it seems, written into one stream or bucket since the last look. */
export interface SenderWrites {
  readonly stream: string;
  /** `agent/web1`. */
  readonly identity: string;
  readonly messages: number;
  readonly bytes: number;
}

export interface StoreLook {
  readonly missing: readonly string[];
  /** Name and what differs. */
  readonly different: readonly string[];
  /** It was there before, and had much more in it. */
  readonly emptied: readonly string[];
  readonly writes: readonly SenderWrites[];
  readonly overfull: readonly Overfull[];
  /** The largest number of servers that one is kept on. */
  readonly replicas: number;
}

interface Seen {
  readonly lastSeq: number;
  readonly messages: number;
  readonly bytes: number;
  readonly config: StreamConfig;
  readonly created: string;
}

export class StoredLoads {
  readonly #bus: NatsBus;
  readonly #hostStreams: ReadonlySet<string>;
  readonly #seen = new Map<string, Seen>();

  constructor(bus: NatsBus) {
    this.#bus = bus;
    this.#hostStreams = new Set(hostStores(bus.environment).map(({ stream }) => stream));
  }

  /** Writes are told from the second look on. @throws as `callJetStream` */
  async look(retention: RetentionChanges): Promise<StoreLook> {
    const wanted = wantedStreams(this.#bus.environment, { retention });
    const looks = await Promise.all(
      wanted.map(async (stream) => ({
        stream,
        info: await this.#infoOf(stream.name),
        before: this.#seen.get(stream.name),
      })),
    );
    const present = looks.flatMap(({ stream, info, before }) => (info === undefined ? [] : [{ stream, info, before }]));
    for (const { stream, info } of looks) {
      if (info === undefined) this.#seen.delete(stream.name);
      else
        this.#seen.set(stream.name, {
          lastSeq: info.state.last_seq,
          messages: info.state.messages,
          bytes: info.state.bytes,
          config: info.config,
          created: info.created,
        });
    }
    const writes = present.map(async ({ stream: { name }, info, before }) =>
      before === undefined || !this.#hostStreams.has(name)
        ? []
        : await this.#writesOf(name, growthOf(info, before), info.state.last_seq),
    );
    return {
      missing: looks.filter(({ info }) => info === undefined).map(({ stream }) => stream.name),
      different: this.differences(retention),
      emptied: present.filter(({ info, before }) => isEmptied(info, before)).map(({ stream }) => stream.name),
      writes: (await Promise.all(writes)).flat(),
      overfull: present.flatMap(({ info }) => overfullOf(info)),
      replicas: Math.max(1, ...present.map(({ info }) => info.config.num_replicas)),
    };
  }

  /** Of what was there at the last look: name and what differs. */
  differences(retention: RetentionChanges): readonly string[] {
    return wantedStreams(this.#bus.environment, { retention }).flatMap((stream) => {
      const present = this.#seen.get(stream.name);
      const differences = present === undefined ? [] : differencesOf(present.config, stream);
      return differences.length === 0 ? [] : [`${stream.name} (${differences.join(', ')})`];
    });
  }

  /** After what was done here on purpose, the next look compares with nothing. */
  forget(): void {
    this.#seen.clear();
  }

  /** Takes away the oldest. */
  async trim({ stream, belowSeq }: Overfull): Promise<void> {
    await this.#bus.callJetStream(`STREAM.PURGE.${stream}`, { seq: belowSeq });
    this.#seen.delete(stream);
  }

  /** Does it hold more than it is configured to? */
  async isTooFull(stream: string): Promise<boolean> {
    const info = await this.#infoOf(stream);
    return info !== undefined && info.state.bytes > info.config.max_bytes - FLOOD_HEADROOM_BYTES;
  }

  async #infoOf(name: string): Promise<StreamInfo | undefined> {
    try {
      return await this.#bus.callJetStream<StreamInfo>(`STREAM.INFO.${name}`);
    } catch (error) {
      if (error instanceof NoStreamError && error.isJetStreamThere) return undefined;
      throw error;
    }
  }

  async #writesOf(stream: string, growth: Growth, lastSeq: number): Promise<readonly SenderWrites[]> {
    const { messages: written } = growth;
    if (written < MIN_WRITTEN) return [];
    const step = written / Math.min(DRAWN, written);
    const seqs = Array.from({ length: Math.min(DRAWN, written) }, (_, index) => lastSeq - Math.floor(index * step));
    const drawn = await Promise.all(seqs.map((seq) => this.#messageAt(stream, seq)));
    const present = drawn.filter((one) => one !== undefined);
    return shareOut(present, growth).map((share) => ({ stream, ...share }));
  }

  /** `undefined` for one that was written over since. */
  async #messageAt(stream: string, seq: number): Promise<Drawn | undefined> {
    try {
      const call = await this.#bus.callJetStream<StoredAnswer>(`STREAM.MSG.GET.${stream}`, { seq });
      const { subject, data = '', hdrs = '' } = call.message;
      // In base64 both, of which three quarters are bytes.
      const bytes = (data.length + hdrs.length) * 0.75 + subject.length;
      const isNobodys = hdrs === '' && isAcknowledgement(Buffer.from(data, 'base64'));
      return { identity: isNobodys ? undefined : meteredSender(this.#bus.environment, subject), bytes };
    } catch (error) {
      if (error instanceof NoStreamError) return undefined;
      throw error;
    }
  }
}

interface StoredAnswer {
  readonly message: { readonly subject: string; readonly data?: string; readonly hdrs?: string };
}

/** What is kept for floods is to be free when one comes. Buckets are never trimmed: each entry is somebody's last word. */
function overfullOf({ config, state }: StreamInfo): readonly Overfull[] {
  const excess = state.bytes - (config.max_bytes - FLOOD_HEADROOM_BYTES);
  if (config.discard !== 'old' || excess <= 0) return [];
  // Where messages lie at one side of their numbers, the next look goes on.
  const numbers = state.last_seq - state.first_seq + 1;
  return [{ stream: config.name, belowSeq: state.first_seq + Math.ceil((numbers * excess) / state.bytes) }];
}

/** What went meanwhile was as large as what there was before, in the mean. */
function growthOf({ state }: StreamInfo, before: Seen): Growth {
  const messages = state.last_seq - before.lastSeq;
  const gone = Math.max(0, before.messages + messages - state.messages);
  const goneBytes = before.messages === 0 ? 0 : (gone * before.bytes) / before.messages;
  return { messages, bytes: Math.max(0, state.bytes - before.bytes + goneBytes) };
}

function isEmptied({ state, created }: StreamInfo, before: Seen | undefined): boolean {
  if (before === undefined || created !== before.created) return false;
  const lost = before.messages + (state.last_seq - before.lastSeq) - state.messages;
  return lost >= MIN_EMPTIED && state.messages < before.messages * EMPTIED_RATIO;
}
