/*
 * Whether those in whose name much was stored have brought it.
 *
 * The server's acknowledgements, and whatever else it says by itself, can be aimed at another's subjects. So what was stored since
 * somebody began to write much is held against what the connections of that very identity have brought since.
 */
import type { IdentityLoad, SenderWrites } from '@muster/contracts/admin';

/** Both are counted at other times, and what is stored by a draw. */
const BORNE_OUT_RATIO = 0.5;
/** One draw is chance. */
const MIN_LOOKS = 2;
/** The connections are asked about as often as the streams are looked at. */
const WAIT_LOOKS = 3;

interface Brought {
  readonly messages: number;
  readonly bytes: number;
}

const NOTHING: Brought = { messages: 0, bytes: 0 };

interface Episode {
  readonly identity: string;
  readonly stream: string;
  /** By its connections, before it began. */
  readonly before: Brought;
  stored: Brought;
  looks: number;
  /** For how many looks it has been too much. */
  over: number;
}

export interface StoreDecision {
  readonly identity: string;
  readonly stream: string;
  readonly isProven: boolean;
}

export class StoreEpisodes {
  readonly #waitLooks: number;
  readonly #totals = new Map<string, Brought>();
  /** At the look before, so that what is stored first is not held against what had been brought already. */
  #totalsBefore = new Map<string, Brought>();
  readonly #episodes = new Map<string, Episode>();

  constructor(seesConnections: boolean) {
    this.#waitLooks = seesConnections ? WAIT_LOOKS : 0;
  }

  brought(loads: readonly IdentityLoad[]): void {
    for (const { identity, messages, bytes } of loads) {
      this.#totals.set(identity, sum(this.#totals.get(identity) ?? NOTHING, { messages, bytes }));
    }
  }

  /** `isFirst`: nothing is held against it any more. */
  stored({ identity, stream, messages, bytes }: SenderWrites, isFirst: boolean): void {
    const place = `${identity} ${stream}`;
    const known = isFirst ? undefined : this.#episodes.get(place);
    const before = this.#totalsBefore.get(identity) ?? NOTHING;
    const episode = known ?? { identity, stream, before, stored: NOTHING, looks: 0, over: 0 };
    episode.stored = sum(episode.stored, { messages, bytes });
    episode.looks += 1;
    this.#episodes.set(place, episode);
  }

  /** To be asked at each look. Who is over stays so until it is forgotten. */
  judge(over: readonly SenderWrites[]): readonly StoreDecision[] {
    for (const { identity, stream } of over) {
      const episode = this.#episodes.get(`${identity} ${stream}`);
      if (episode?.over === 0 && episode.looks >= MIN_LOOKS) episode.over = 1;
    }
    const decisions: StoreDecision[] = [];
    for (const episode of this.#episodes.values()) {
      if (episode.over === 0) continue;
      const { identity, stream } = episode;
      const isProven = this.#isBorneOut(episode);
      if (isProven || episode.over > this.#waitLooks) decisions.push({ identity, stream, isProven });
      episode.over += 1;
    }
    this.#totalsBefore = new Map(this.#totals);
    return decisions;
  }

  forget(identity: string): void {
    for (const [place, episode] of this.#episodes) if (episode.identity === identity) this.#episodes.delete(place);
  }

  #isBorneOut({ identity, before, stored }: Episode): boolean {
    const total = this.#totals.get(identity) ?? NOTHING;
    return (
      total.bytes - before.bytes >= BORNE_OUT_RATIO * stored.bytes ||
      // The server counts no bytes of subjects, of which a message may have many.
      total.messages - before.messages >= BORNE_OUT_RATIO * stored.messages
    );
  }
}

function sum(a: Brought, b: Brought): Brought {
  return { messages: a.messages + b.messages, bytes: a.bytes + b.bytes };
}
