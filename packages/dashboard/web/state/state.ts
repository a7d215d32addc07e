import type { Action, PageData } from '../../server/protocol/index.ts';

/** All local instants are the browser's monotonic clock (`performance.now()`). */
interface Link {
  /** `connecting` only before the first frame; afterwards it is live or lost. */
  readonly status: 'connecting' | 'live' | 'lost';
  readonly sinceMs: number;
}

/** Something to tell the person at the screen. */
export interface Notice {
  readonly id: number;
  readonly tone: 'good' | 'bad';
  readonly title: string;
  readonly text: string;
}

export interface State {
  readonly link: Link;
  readonly epoch?: number;
  /** The last delta in `page`; absent when a snapshot is needed. */
  readonly seq?: number;
  readonly page?: PageData;
  /** The server's monotonic clock minus ours, from the frame that travelled fastest. */
  readonly serverMinusLocalMs: number;
  readonly lastFrameMs?: number;
  /** The server speaks a newer protocol than this page: only loading it again helps. */
  readonly isOutdated: boolean;
  /** Commands on their way, by key of the service row. */
  readonly pending: Readonly<Record<string, Action>>;
  readonly notices: readonly Notice[];
}

export function initialState(nowMs: number): State {
  return {
    link: { status: 'connecting', sinceMs: nowMs },
    serverMinusLocalMs: 0,
    isOutdated: false,
    pending: {},
    notices: [],
  };
}
