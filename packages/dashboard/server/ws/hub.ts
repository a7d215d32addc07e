import { diff, type Frame, PAGE_PROTOCOL_VERSION, type PageData, QUIET_FRAME_MS } from '../protocol/index.ts';
import { DeltaRing } from './ring.ts';

/** The network's end of one page. */
export interface Peer {
  /** Who looks at it, as the audit names them. */
  readonly actor: string;
  /** Bytes handed over and not yet taken by the network. */
  readonly bufferedBytes: number;
  send(text: string): void;
  ping(): void;
  /** Ends it at once; `leave` follows. */
  terminate(): void;
}

/** What a page may know already. */
export interface Resume {
  readonly epoch: number;
  readonly seq: number;
}

/** At most one frame per page in this time; also the longest a change waits. */
export const FRAME_INTERVAL_MS = 250;

/**
 * A page that has not taken this much yet gets nothing more until it has, and then a new snapshot; but if that is a
 * snapshot, then what has changed since: of a large fleet it takes a while, and another one would take as long.
 */
const SLOW_BYTES = 256 * 1024;

/** A page that lets this much pile up is cut off. */
const TOO_SLOW_BYTES = 4 * 1024 * 1024;

/** A page that doesn't answer a ping until the next one is gone. */
const PING_INTERVAL_MS = 15_000;

/** A minute of changes, if they are small. */
const RING_DELTAS = 240;
const RING_CHARS = 4 * 1024 * 1024;

interface Session {
  readonly peer: Peer;
  /** The last delta this page has; `undefined` when it needs a snapshot. */
  seq: number | undefined;
  /** The last frame was a snapshot, and most of it may still be on its way. */
  isTakingSnapshot: boolean;
  lastFrameAtMs: number;
  lastPingAtMs: number;
  isAlive: boolean;
}

/**
 * One page image for all viewers, and what each of them has of it. Each tick makes one delta; each viewer gets what it lacks.
 * Reads no clock and owns no timer: `nowMs` is the monotonic time of the pages it is given.
 */
export class Hub {
  readonly #epoch: number;
  readonly #ring = new DeltaRing(RING_DELTAS, RING_CHARS);
  readonly #sessions = new Set<Session>();
  #page: PageData;
  #seq = 0;
  /** The snapshot's JSON for the current seq, made once for all who need it. */
  #pageJson: string | undefined;

  constructor(epoch: number, page: PageData) {
    this.#epoch = epoch;
    this.#page = page;
  }

  get viewers(): number {
    return this.#sessions.size;
  }

  /** Says hello, and what the page lacks. Returns what the peer's owner calls on a pong and at the end. */
  join(peer: Peer, resume: Resume | undefined, nowMs: number): { pong(): void; leave(): void } {
    const isOurs = resume !== undefined && resume.epoch === this.#epoch && resume.seq <= this.#seq;
    const session: Session = {
      peer,
      seq: isOurs ? resume.seq : undefined,
      isTakingSnapshot: false,
      lastFrameAtMs: Number.NEGATIVE_INFINITY,
      lastPingAtMs: nowMs,
      isAlive: true,
    };
    this.#sessions.add(session);
    const hello: Frame = { type: 'hello', version: PAGE_PROTOCOL_VERSION, epoch: this.#epoch, actor: peer.actor };
    peer.send(JSON.stringify(hello));
    this.#serve(session, nowMs);
    return {
      pong: () => {
        session.isAlive = true;
      },
      leave: () => this.#sessions.delete(session),
    };
  }

  /** The page as it is now. Call it every FRAME_INTERVAL_MS, or a little later. */
  tick(page: PageData, nowMs: number): void {
    const patch = diff(this.#page, page);
    this.#page = page;
    if (patch !== undefined) {
      this.#seq += 1;
      this.#pageJson = undefined;
      this.#ring.push({ seq: this.#seq, json: `{"seq":${this.#seq},"patch":${JSON.stringify(patch)}}` });
    }
    for (const session of this.#sessions) {
      if (this.#isAlive(session, nowMs)) this.#serve(session, nowMs);
      else this.#drop(session);
    }
  }

  /** Ends all sessions. */
  close(): void {
    for (const { peer } of this.#sessions) peer.terminate();
    this.#sessions.clear();
  }

  #serve(session: Session, nowMs: number): void {
    const { peer } = session;
    if (peer.bufferedBytes > SLOW_BYTES) {
      if (session.isTakingSnapshot) return;
      if (peer.bufferedBytes > TOO_SLOW_BYTES) this.#drop(session);
      else session.seq = undefined;
      return;
    }
    session.isTakingSnapshot = false;
    const idleMs = nowMs - session.lastFrameAtMs;
    if (idleMs < FRAME_INTERVAL_MS) return;
    const deltas = session.seq === undefined ? undefined : this.#ring.since(session.seq, this.#seq);
    if (deltas !== undefined && deltas.length === 0 && idleMs < QUIET_FRAME_MS) return;
    const body =
      deltas === undefined
        ? `"type":"snapshot","seq":${this.#seq},"page":${this.#snapshot()}`
        : `"type":"deltas","deltas":[${deltas.map(({ json }) => json).join(',')}]`;
    peer.send(`{"nowMs":${Math.round(nowMs)},${body}}`);
    session.seq = this.#seq;
    session.isTakingSnapshot = deltas === undefined;
    session.lastFrameAtMs = nowMs;
  }

  #snapshot(): string {
    this.#pageJson ??= JSON.stringify(this.#page);
    return this.#pageJson;
  }

  #isAlive(session: Session, nowMs: number): boolean {
    if (nowMs - session.lastPingAtMs < PING_INTERVAL_MS) return true;
    if (!session.isAlive) return false;
    session.isAlive = false;
    session.lastPingAtMs = nowMs;
    session.peer.ping();
    return true;
  }

  #drop(session: Session): void {
    this.#sessions.delete(session);
    session.peer.terminate();
  }
}
