/** A secret of this host that never leaves it: what is published as a hash is made with it, so that nobody can guess back. */
import { createHmac, randomBytes } from 'node:crypto';
import path from 'node:path';
import { readIfPresent, replaceFile } from '@muster/contracts/files';

const HASH_KEY = /^[0-9a-f]{64}$/;

export class HashKey {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** A hash as others may have it: equal for equal hashes of this host, and telling nothing of what they were made from. */
  seal(hash: string): string {
    return createHmac('sha256', this.#key).update(hash).digest('hex').slice(0, 32);
  }
}

/**
 * Reads or makes the key of this state directory. Nothing but what is published hangs on it: where the file is lost, spoilt or
 * cannot be read another key is made, and where that cannot be written it holds as long as this agent runs.
 */
export function readHashKey(stateDir: string, onProblem: (error: unknown) => void): HashKey {
  // Its name on disk is older than the words of today.
  const file = path.join(stateDir, 'host-key');
  const saved = readIfReadable(file, onProblem)?.trim() ?? '';
  if (HASH_KEY.test(saved)) return new HashKey(Buffer.from(saved, 'hex'));
  const made = randomBytes(32);
  try {
    replaceFile(file, `${made.toString('hex')}\n`);
  } catch (error) {
    onProblem(error);
  }
  return new HashKey(made);
}

function readIfReadable(file: string, onProblem: (error: unknown) => void): string | undefined {
  try {
    return readIfPresent(file);
  } catch (error) {
    onProblem(error);
    return undefined;
  }
}
