import { type FSWatcher, watch } from 'node:fs';

/** Between two looks when nothing announced a change. */
const POLL_MS = 1_000;
/** The same where the kernel can't announce changes: its limit of inotify watches is used up. */
const BLIND_POLL_MS = 100;

/** What made it look: the record may have grown (only that is worth reading then), or a while has passed. */
type OnLook = (hasGrown: boolean) => void;

/** Calls back when the record may have grown, and once in a while anyway. Never keeps the agent's loop alive. */
export class RunRecordWatch implements Disposable {
  readonly #watcher: FSWatcher | undefined;
  #onLook: OnLook;
  #timer: NodeJS.Timeout;

  constructor(path: string, onLook: OnLook) {
    this.#onLook = onLook;
    this.#watcher = openWatcher(path, () => this.#onLook(true));
    this.#timer = this.#poll(this.#watcher === undefined ? BLIND_POLL_MS : POLL_MS);
  }

  /** From now on another one looks. */
  handTo(onLook: OnLook): void {
    this.#onLook = onLook;
  }

  /** For a run whose shim is gone: nobody will write the record any more. */
  pollFast(): void {
    clearInterval(this.#timer);
    this.#timer = this.#poll(BLIND_POLL_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
  }

  #poll(everyMs: number): NodeJS.Timeout {
    return setInterval(() => this.#onLook(false), everyMs).unref();
  }
}

function openWatcher(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    // A watcher that fails later leaves the polling.
    return watch(path, { persistent: false }, onChange).on('error', () => {});
  } catch {
    return undefined;
  }
}
