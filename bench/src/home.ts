import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FirstLines } from './first-lines.ts';
import { killAllMentioning } from './processes.ts';

/** Where Linux always has a tmpfs; the runtime folder of a user (`/run/user/1000`) is one as well. */
const TMPFS = '/dev/shm';

/**
 * A place of its own for one peer. Everything it starts mentions this place in its command line or environment, so
 * disposing ends all of that, also what its supervisor lost, and then removes the place.
 */
export class Home implements AsyncDisposable {
  readonly path: string;
  /** On a tmpfs, as the runtime folder of a user or of the system is. */
  readonly runtimePath: string;
  readonly lines: FirstLines;

  /** `body`: what the services do once they have spoken, in sh; default: sleep. */
  constructor(name: string, body?: string) {
    this.path = mkdtempSync(path.join(tmpdir(), `muster-bench-${name}-`));
    this.runtimePath = path.join(TMPFS, path.basename(this.path));
    mkdirSync(this.runtimePath, { mode: 0o700 });
    this.lines = new FirstLines(this.path, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Both places end in the same name.
    await killAllMentioning(path.basename(this.path));
    this.lines[Symbol.dispose]();
    for (const place of [this.path, this.runtimePath]) rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  }
}
