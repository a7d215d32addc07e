import { createContext, useContext } from 'react';
import type { Store } from '../state/store.ts';

/** The server's monotonic clock as this page can tell it, and a heartbeat for what shows ages. */
export interface Clock {
  readonly nowMs: () => number;
  readonly subscribe: (listener: () => void) => () => void;
}

const HEARTBEAT_MS = 500;

/** One timer for all ages on the page; none while nothing shows an age. */
export function createClock(store: Store): Clock {
  const listeners = new Set<() => void>();
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    nowMs: () => performance.now() + store.getState().serverMinusLocalMs,
    subscribe: (listener) => {
      listeners.add(listener);
      timer ??= setInterval(() => {
        for (const tell of listeners) tell();
      }, HEARTBEAT_MS);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

const ClockContext = createContext<Clock | undefined>(undefined);
export const ClockProvider = ClockContext.Provider;

/** @throws Error outside of a ClockProvider */
export function useClock(): Clock {
  const clock = useContext(ClockContext);
  if (clock === undefined) throw new Error('cannot show an age: no ClockProvider around it');
  return clock;
}
