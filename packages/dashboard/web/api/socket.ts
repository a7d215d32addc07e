import { parseShown } from '@muster/contracts/printable';
import { type Frame, QUIET_FRAME_MS } from '../../server/protocol/index.ts';
import type { Store } from '../state/store.ts';

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

/** A dead network says nothing for minutes; a live server speaks at least every QUIET_FRAME_MS. */
const SILENCE_MS = 2 * QUIET_FRAME_MS;

/** How long to wait before try number `attempt` (from 0): doubling, with jitter so that many pages don't return as one. */
export function retryDelayMs(attempt: number, random: number): number {
  const ceiling = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
  return ceiling * (0.5 + random / 2);
}

/** Keeps the store fed for as long as the page is open. Returns how to end it. */
export function connect(store: Store, origin: string): () => void {
  const ending = new AbortController();
  let attempt = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const open = () => {
    if (store.getState().isOutdated) return;
    const socket = new WebSocket(addressOf(store, origin));
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(watchdog);
      socket.close();
      if (ending.signal.aborted) return;
      store.dispatch({ type: 'lost', nowMs: performance.now() });
      retry = setTimeout(open, retryDelayMs(attempt, Math.random()));
      attempt += 1;
    };
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(end, SILENCE_MS);
    };
    watch();
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      if (isOver) return;
      watch();
      const frame = parseShown(data) as Frame;
      store.dispatch({ type: 'frame', frame, nowMs: performance.now() });
      if (frame.type === 'hello') return;
      attempt = 0;
      if (store.getState().seq === undefined) end();
    });
    socket.addEventListener('close', end);
    ending.signal.addEventListener('abort', end);
  };

  // Back from sleep or from another network: no reason to wait for the backoff.
  window.addEventListener(
    'online',
    () => {
      if (store.getState().link.status !== 'lost') return;
      clearTimeout(retry);
      attempt = 0;
      open();
    },
    { signal: ending.signal },
  );
  open();
  return () => {
    clearTimeout(retry);
    ending.abort();
  };
}

function addressOf(store: Store, origin: string): string {
  const { epoch, seq } = store.getState();
  const url = new URL('/ws', origin.replace(/^http/, 'ws'));
  if (epoch !== undefined && seq !== undefined) {
    url.searchParams.set('epoch', String(epoch));
    url.searchParams.set('seq', String(seq));
  }
  return url.href;
}
