import {
  type Action,
  applyPatch,
  type DeltasFrame,
  type Frame,
  PAGE_PROTOCOL_VERSION,
} from '../../server/protocol/index.ts';
import type { Notice, State } from './state.ts';

export type Message =
  | { readonly type: 'frame'; readonly frame: Frame; readonly nowMs: number }
  /** The socket is gone. */
  | { readonly type: 'lost'; readonly nowMs: number }
  | { readonly type: 'command-sent'; readonly key: string; readonly action: Action }
  | { readonly type: 'command-settled'; readonly key: string; readonly notice: Notice }
  | { readonly type: 'notice-dismissed'; readonly id: number };

/** The newest ones: a person reads no more than this at once. */
const MAX_NOTICES = 4;

export function reduce(state: State, message: Message): State {
  switch (message.type) {
    case 'frame':
      return reduceFrame(state, message.frame, message.nowMs);
    case 'lost':
      return state.link.status === 'lost' ? state : { ...state, link: { status: 'lost', sinceMs: message.nowMs } };
    case 'command-sent':
      return { ...state, pending: { ...state.pending, [message.key]: message.action } };
    case 'command-settled': {
      const { [message.key]: _settled, ...pending } = state.pending;
      return { ...state, pending, notices: [...state.notices, message.notice].slice(-MAX_NOTICES) };
    }
    case 'notice-dismissed':
      return { ...state, notices: state.notices.filter(({ id }) => id !== message.id) };
  }
}

function reduceFrame(state: State, frame: Frame, nowMs: number): State {
  switch (frame.type) {
    case 'hello': {
      if (frame.version !== PAGE_PROTOCOL_VERSION) return { ...state, isOutdated: true };
      if (frame.epoch === state.epoch) return state;
      // Another run of the server: its numbers and its clock have nothing to do with the last one's.
      const { seq: _seq, lastFrameMs: _last, ...rest } = state;
      return { ...rest, epoch: frame.epoch };
    }
    case 'snapshot':
      return { ...received(state, frame.nowMs, nowMs), page: frame.page, seq: frame.seq };
    case 'deltas':
      return reduceDeltas(received(state, frame.nowMs, nowMs), frame);
  }
}

/** Deltas that don't continue what is here would make a page that never was: it asks for a snapshot instead. */
function reduceDeltas(state: State, frame: DeltasFrame): State {
  let { page, seq } = state;
  for (const delta of frame.deltas) {
    if (page === undefined || seq === undefined || delta.seq !== seq + 1) {
      const { seq: _seq, ...rest } = state;
      return rest;
    }
    page = applyPatch(page, delta.patch);
    seq = delta.seq;
  }
  return page === state.page || page === undefined || seq === undefined ? state : { ...state, page, seq };
}

/** The frame that travelled fastest shows the largest difference; a new connection measures anew. */
function received(state: State, serverNowMs: number, nowMs: number): State {
  const difference = serverNowMs - nowMs;
  const isFirst = state.lastFrameMs === undefined || state.link.status !== 'live';
  return {
    ...state,
    link: state.link.status === 'live' ? state.link : { status: 'live', sinceMs: nowMs },
    serverMinusLocalMs: isFirst ? difference : Math.max(state.serverMinusLocalMs, difference),
    lastFrameMs: nowMs,
  };
}
