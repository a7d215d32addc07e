import { readIfPresent, replaceFile } from '../../files/replace-file.ts';
import { messageOf } from '../../message-of.ts';
import { RevocationList } from '../../messages/grant.ts';
import type { Verifier } from './nkey.ts';
import { type Opened, openText } from './signed-text.ts';

export interface SignedRevocations {
  readonly list: RevocationList;
  /** The list as it travels. */
  readonly text: string;
}

/** What became of a list that somebody brought. */
export interface Offered {
  /** `newer`: it is in force now. `known`: this very version was. `older`: a later one is. `forged`: the root did not sign it. */
  readonly outcome: 'newer' | 'known' | 'older' | 'forged';
  readonly reason: string;
}

/** Which keys count no more, as far as this program knows. Only a higher version replaces what it has. */
export class Revocations {
  readonly #environment: string;
  readonly #file: string | undefined;
  #roots: readonly Verifier[] = [];
  #version = 0;
  #text: string | undefined;
  #revoked: ReadonlySet<string> = new Set();

  /** With a `file` it is remembered from one start to the next. */
  constructor(environment: string, file: string | undefined) {
    this.#environment = environment;
    this.#file = file;
  }

  /** Of the list in force; 0 when there is none. */
  get version(): number {
    return this.#version;
  }

  /** The list in force, as it travels. */
  get text(): string | undefined {
    return this.#text;
  }

  isRevoked(key: string): boolean {
    return this.#revoked.has(key);
  }

  /** Whose signature counts from now on. What is on disk is read before anybody is believed. @throws when it can't be */
  async trust(roots: readonly Verifier[]): Promise<void> {
    this.#roots = roots;
    const text = this.#file === undefined ? undefined : readList(this.#file);
    const opened = text === undefined ? undefined : this.read(text.trim());
    if (opened?.ok && opened.value.version > this.#version) this.#use(opened.value, text?.trim());
  }

  /** A list that the root has signed, for this environment. Never throws. */
  read(text: string): Opened<RevocationList> {
    const opened = openText('revocations', RevocationList, text, this.#roots);
    if (!opened.ok || opened.value.environment === this.#environment) return opened;
    return { ok: false, reason: `it is for environment '${opened.value.environment}'` };
  }

  /** Takes it when it is newer. @throws when it could not be written; it is in force nevertheless. */
  async offer(text: string): Promise<Offered> {
    const opened = this.read(text);
    if (!opened.ok) return { outcome: 'forged', reason: `not a list of revoked keys: ${opened.reason}` };
    const { version, revoked } = opened.value;
    if (version < this.#version) return { outcome: 'older', reason: `version ${this.#version} is in force` };
    if (version === this.#version) return { outcome: 'known', reason: `version ${version} was in force already` };
    this.#use(opened.value, text);
    if (this.#file !== undefined) replaceFile(this.#file, `${text}\n`);
    return { outcome: 'newer', reason: `version ${version} is in force: ${revoked.length} keys count no more` };
  }

  #use({ version, revoked }: RevocationList, text: string | undefined): void {
    this.#text = text;
    this.#version = version;
    this.#revoked = new Set(revoked.map(({ key }) => key));
  }
}

function readList(file: string): string | undefined {
  try {
    return readIfPresent(file);
  } catch (error) {
    throw new Error(`cannot read the list of revoked keys: ${messageOf(error)}`, { cause: error });
  }
}
