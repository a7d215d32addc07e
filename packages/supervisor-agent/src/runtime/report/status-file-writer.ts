import path from 'node:path';
import { STATUS_FILE_NAME, StatusFile } from '@muster/contracts';
import { readIfPresent, replaceFile } from '@muster/contracts/files';

/** Changes within this time are written together. */
const COLLECT_MS = 100;
/** Without changes the file is written this often, so that its age tells whether the agent lives. */
const REFRESH_MS = 5_000;

export class StatusFileWriter implements Disposable {
  readonly #file: string;
  readonly #read: () => StatusFile;
  readonly #onProblem: (error: unknown) => void;
  readonly #refresh: NodeJS.Timeout;
  #pending: NodeJS.Timeout | undefined;

  constructor(stateDir: string, read: () => StatusFile, onProblem: (error: unknown) => void) {
    this.#file = path.join(stateDir, STATUS_FILE_NAME);
    this.#read = read;
    this.#onProblem = onProblem;
    this.#refresh = setInterval(() => this.writeNow(), REFRESH_MS);
  }

  changed(): void {
    this.#pending ??= setTimeout(() => this.writeNow(), COLLECT_MS);
  }

  writeNow(): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
    try {
      replaceFile(this.#file, JSON.stringify(this.#read()), { isDurable: false });
    } catch (error) {
      // A full disk must not stop supervision.
      this.#onProblem(error);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#refresh);
    clearTimeout(this.#pending);
  }
}

/** What the last agent on this directory had to say; `undefined` when there is nothing readable. */
export function readStatusFile(stateDir: string): StatusFile | undefined {
  try {
    return StatusFile.parse(JSON.parse(readIfPresent(path.join(stateDir, STATUS_FILE_NAME)) ?? ''));
  } catch {
    return undefined;
  }
}
