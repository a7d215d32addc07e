import type { PageData } from '../protocol/page.ts';
import { emptyFleet, type Fact, type OwnedFleet } from './fleet.ts';
import { fold } from './fold.ts';
import { type RenderContext, type RenderMemo, render } from './render.ts';

/** The fleet as this process knows it now. Owns the facts; `now` is a monotonic clock in milliseconds. */
export class LiveFleet {
  readonly #context: RenderContext;
  readonly #now: () => number;
  readonly #memo: RenderMemo = new Map();
  readonly #fleet: OwnedFleet;

  constructor(context: RenderContext, now: () => number) {
    this.#context = context;
    this.#now = now;
    this.#fleet = emptyFleet(now());
  }

  learn(fact: Fact): void {
    fold(this.#fleet, fact, this.#now());
  }

  /** What may be shown at this moment, and the moment. */
  look(): { page: PageData; nowMs: number } {
    const nowMs = this.#now();
    return { page: render(this.#fleet, nowMs, this.#context, this.#memo), nowMs };
  }
}
