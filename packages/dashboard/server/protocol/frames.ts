import type { JsonObject } from './merge-patch.ts';
import type { PageData } from './page.ts';

/**
 * `/ws`, server to page. First `hello`; then one `snapshot`, or, when the page came with `?epoch=<epoch>&seq=<seq>` of this
 * server's recent past, just the deltas it missed; then `deltas`. A frame with no deltas only says that the server lives.
 * The page sends nothing.
 */
export type Frame = HelloFrame | SnapshotFrame | DeltasFrame;

interface HelloFrame {
  readonly type: 'hello';
  readonly version: number;
  /** This run of this replica: sequence numbers mean nothing in another one. */
  readonly epoch: number;
  /** As whom the audit names what this page asks for. */
  readonly actor: string;
}

interface SnapshotFrame {
  readonly type: 'snapshot';
  readonly nowMs: number;
  /** The page as it is after this delta. */
  readonly seq: number;
  readonly page: PageData;
}

export interface DeltasFrame {
  readonly type: 'deltas';
  readonly nowMs: number;
  /** Consecutive, oldest first; each `patch` is an RFC 7396 merge patch on the page. */
  readonly deltas: readonly { readonly seq: number; readonly patch: JsonObject }[];
}

/** A server with nothing to say still sends a frame this often; a page that hears none for twice as long has lost it. */
export const QUIET_FRAME_MS = 5_000;
