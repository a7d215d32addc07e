import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline } from './deadline.ts';

const never = () => new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Deadline', () => {
  test('aborts when its time is over, with a TimeoutError', () => {
    using deadline = new Deadline(1_000, never());
    vi.advanceTimersByTime(999);
    expect(deadline.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  test('aborts with its parent, also one that has aborted before', () => {
    const parent = new AbortController();
    using early = new Deadline(60_000, parent.signal);
    parent.abort('enough');
    using late = new Deadline(60_000, parent.signal);
    expect([early.signal.reason, late.signal.reason]).toEqual(['enough', 'enough']);
  });

  test('once disposed it never aborts', () => {
    const deadline = new Deadline(1_000, never());
    deadline[Symbol.dispose]();
    vi.advanceTimersByTime(60_000);
    expect(deadline.signal.aborted).toBe(false);
  });
});
