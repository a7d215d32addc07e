import { type Message, reduce } from './reduce.ts';
import { initialState, type State } from './state.ts';

/** The page's one state. Knows no framework and no socket: messages in, listeners told. */
export class Store {
  #state: State;
  readonly #listeners = new Set<() => void>();

  constructor(nowMs: number) {
    this.#state = initialState(nowMs);
  }

  readonly getState = (): State => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly dispatch = (message: Message): void => {
    const next = reduce(this.#state, message);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  };
}
