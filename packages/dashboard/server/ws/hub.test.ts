import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyPatch, type Frame, type PageData } from '../protocol/index.ts';
import { emptyFleet } from '../view/fleet.ts';
import { render } from '../view/render.ts';
import { Hub, type Peer, type Resume } from './hub.ts';

const EPOCH = 7;
const EMPTY = render(emptyFleet(0), 0, { environment: 'test', dashboard: 'main' });

/** A page that says `text`. */
function pageOf(text: string): PageData {
  return { ...EMPTY, fleet: { ...EMPTY.fleet, headline: text } };
}

class FakePeer implements Peer {
  readonly actor = 'kim (uid 1000)';
  bufferedBytes = 0;
  readonly frames: { readonly atMs: number; readonly frame: Frame }[] = [];
  pings = 0;
  isTerminated = false;
  nowMs = 0;

  send(text: string): void {
    this.frames.push({ atMs: this.nowMs, frame: JSON.parse(text) as Frame });
  }
  ping(): void {
    this.pings += 1;
  }
  terminate(): void {
    this.isTerminated = true;
  }
  take(): Frame[] {
    return this.frames.splice(0).map(({ frame }) => frame);
  }
}

function join(hub: Hub, nowMs: number, resume?: Resume) {
  const peer = new FakePeer();
  peer.nowMs = nowMs;
  return { peer, ...hub.join(peer, resume, nowMs) };
}

test('hello, then a snapshot, then numbered deltas', () => {
  const hub = new Hub(EPOCH, pageOf('a'));
  const { peer } = join(hub, 0);
  expect(peer.take()).toMatchObject([
    { type: 'hello', version: 1, epoch: EPOCH, actor: 'kim (uid 1000)' },
    { type: 'snapshot', seq: 0, nowMs: 0, page: { fleet: { headline: 'a' } } },
  ]);
  hub.tick(pageOf('b'), 250);
  hub.tick(pageOf('b'), 500);
  hub.tick(pageOf('c'), 750);
  expect(peer.take()).toEqual([
    { type: 'deltas', nowMs: 250, deltas: [{ seq: 1, patch: { fleet: { headline: 'b' } } }] },
    { type: 'deltas', nowMs: 750, deltas: [{ seq: 2, patch: { fleet: { headline: 'c' } } }] },
  ]);
});

test('property: at most one frame in 250 ms, and what a page has made of them is the page', () => {
  const steps = fc.array(
    fc.record({ gapMs: fc.integer({ min: 1, max: 400 }), text: fc.constantFrom('a', 'b', 'c'), isBusy: fc.boolean() }),
  );
  fc.assert(
    fc.property(steps, (all) => {
      const hub = new Hub(EPOCH, pageOf('a'));
      const { peer } = join(hub, 0);
      let nowMs = 0;
      let text = 'a';
      for (const step of all) {
        nowMs += step.gapMs;
        ({ text } = step);
        peer.nowMs = nowMs;
        peer.bufferedBytes = step.isBusy ? 300 * 1024 : 0;
        hub.tick(pageOf(text), nowMs);
      }
      peer.bufferedBytes = 0;
      peer.nowMs = nowMs + 250;
      hub.tick(pageOf(text), nowMs + 250);
      const frames = peer.frames.slice(1);
      for (const [i, { atMs }] of frames.entries())
        expect(atMs - (frames[i - 1]?.atMs ?? -250)).toBeGreaterThanOrEqual(250);
      expect(replay(frames.map(({ frame }) => frame))).toEqual(pageOf(text));
    }),
  );
});

function replay(frames: readonly Frame[]): PageData | undefined {
  let page: PageData | undefined;
  let seq = -1;
  for (const frame of frames) {
    if (frame.type === 'snapshot') ({ page, seq } = frame);
    if (frame.type !== 'deltas') continue;
    for (const delta of frame.deltas) {
      expect(delta.seq).toBe(seq + 1);
      if (page !== undefined) page = applyPatch(page, delta.patch);
      ({ seq } = delta);
    }
  }
  return page;
}

describe('a slow page', () => {
  test('is skipped, slows nobody, and gets a snapshot when it has caught up', () => {
    const hub = new Hub(EPOCH, pageOf('a'));
    const [slow, quick] = [join(hub, 0), join(hub, 0)];
    hub.tick(pageOf('b'), 250);
    slow.peer.take();
    quick.peer.take();
    slow.peer.bufferedBytes = 256 * 1024 + 1;
    hub.tick(pageOf('c'), 500);
    expect(slow.peer.take()).toEqual([]);
    expect(quick.peer.take()).toHaveLength(1);
    slow.peer.bufferedBytes = 0;
    hub.tick(pageOf('d'), 750);
    expect(slow.peer.take()).toMatchObject([{ type: 'snapshot', seq: 3, page: { fleet: { headline: 'd' } } }]);
  });

  test('is one whose snapshot is large: it is left to take it, and gets what has changed since', () => {
    const hub = new Hub(EPOCH, pageOf('a'));
    const { peer } = join(hub, 0);
    peer.take();
    peer.bufferedBytes = 8 * 1024 * 1024;
    hub.tick(pageOf('b'), 250);
    peer.bufferedBytes = 1024 * 1024;
    hub.tick(pageOf('c'), 500);
    expect(peer.isTerminated).toBe(false);
    expect(peer.take()).toEqual([]);
    peer.bufferedBytes = 0;
    hub.tick(pageOf('c'), 750);
    expect(peer.take()).toMatchObject([{ type: 'deltas', deltas: [{ seq: 1 }, { seq: 2 }] }]);
  });

  test('is cut off when 4 MiB have piled up', () => {
    const hub = new Hub(EPOCH, pageOf('a'));
    const { peer } = join(hub, 0);
    hub.tick(pageOf('b'), 250);
    peer.bufferedBytes = 4 * 1024 * 1024 + 1;
    hub.tick(pageOf('c'), 500);
    expect(peer.isTerminated).toBe(true);
    expect(hub.viewers).toBe(0);
  });
});

describe('resuming', () => {
  const hubAt = (seq: number) => {
    const hub = new Hub(EPOCH, pageOf('0'));
    for (let i = 1; i <= seq; i += 1) hub.tick(pageOf(String(i)), i * 250);
    return hub;
  };
  test.each([
    [
      'what was missed, from the ring',
      { epoch: EPOCH, seq: 3 },
      [{ type: 'hello' }, { type: 'deltas', deltas: [{ seq: 4 }, { seq: 5 }] }],
    ],
    ['another run: a snapshot', { epoch: 6, seq: 3 }, [{ type: 'hello' }, { type: 'snapshot', seq: 5 }]],
    [
      'a number not reached yet: a snapshot',
      { epoch: EPOCH, seq: 9 },
      [{ type: 'hello' }, { type: 'snapshot', seq: 5 }],
    ],
  ])('%s', (_name, resume, frames) => {
    expect(join(hubAt(5), 2_000, resume).peer.take()).toMatchObject(frames);
  });

  test('too far back: a snapshot', () => {
    expect(join(hubAt(300), 90_000, { epoch: EPOCH, seq: 3 }).peer.take()[1]).toMatchObject({
      type: 'snapshot',
      seq: 300,
    });
  });
});

test('an idle page hears that the server lives, at least every 5 s', () => {
  const hub = new Hub(EPOCH, pageOf('a'));
  const { peer } = join(hub, 0);
  peer.take();
  for (let nowMs = 250; nowMs <= 10_250; nowMs += 250) hub.tick(pageOf('a'), nowMs);
  expect(peer.take()).toEqual([
    { type: 'deltas', nowMs: 5_000, deltas: [] },
    { type: 'deltas', nowMs: 10_000, deltas: [] },
  ]);
});

test('a page that does not answer a ping is let go, one that does is kept', () => {
  const hub = new Hub(EPOCH, pageOf('a'));
  const [dead, alive] = [join(hub, 0), join(hub, 0)];
  hub.tick(pageOf('a'), 15_000);
  alive.pong();
  hub.tick(pageOf('a'), 30_000);
  expect([dead.peer.isTerminated, alive.peer.isTerminated]).toEqual([true, false]);
  alive.leave();
  expect(hub.viewers).toBe(0);
});
