/* Muster's own programs take each test vector of docs/schemas/signature-vectors.json, and none that must be refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { headers as createHeaders, type Msg } from '@nats-io/transport-node';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Connection } from '../src/bus/connection.ts';
import type { Inbox } from '../src/bus/inbox.ts';
import { Requests } from '../src/bus/requests.ts';
import { Tally } from '../src/bus/tally.ts';
import { Revocations } from '../src/bus/trust/revocations.ts';
import { Signatures } from '../src/bus/trust/signatures.ts';
import { readTrust } from '../src/bus/trust/trust.ts';
import { comparePositions } from '../src/envelope.ts';
import { SIGNATURE_HEADER } from '../src/messages/command.ts';
import { Verdict } from '../src/messages/probe.ts';
import { commands, rows } from '../src/rows.ts';

interface Vector {
  readonly of: 'question' | 'answer' | 'verdict' | 'revocations';
  readonly why: string;
  readonly given?: readonly (string | Omit<Vector, 'of' | 'why'>)[];
  readonly at?: string;
  readonly subject?: string;
  readonly reply?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly text?: string;
}

const file = join(import.meta.dirname, '../../../docs/schemas/signature-vectors.json');
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, Vector>> & {
  readonly environment: string;
  readonly credentialsFile: string;
  readonly refused: readonly Vector[];
};

afterEach(() => {
  vi.useRealTimers();
});

/** A program of this environment that answers `stop`, and believes what its parts believe. */
class Program {
  readonly #revocations = new Revocations(vectors.environment, undefined);
  readonly #signatures = new Signatures(vectors.environment, this.#revocations);
  #heard: ((message: Msg) => void) | undefined;
  #asked = 0;
  #newest: Verdict | undefined;

  async start(): Promise<void> {
    const { environment, credentialsFile } = vectors;
    const trust = readTrust(credentialsFile, { environment, role: 'operator', id: 'ada' });
    if (!trust.ok) throw new Error(trust.reason);
    this.#signatures.use(trust);
    await this.#revocations.trust(trust.value.roots);
    const connection = {
      client: { isClosed: () => false, isDraining: () => false, publish: () => {} },
      subscribe: (_filter: string, handler: (message: Msg) => void) => {
        this.#heard = handler;
        return { stop: () => {} };
      },
    } as unknown as Connection;
    const speaker = { environment, source: 'agent/web1', signatures: this.#signatures };
    const requests = new Requests(speaker, connection, undefined as unknown as Inbox, new Tally());
    requests.respond(commands.stop, { host: 'web1' }, async () => {
      this.#asked++;
      return undefined;
    });
  }

  async takes(vector: Vector, of = vector.of): Promise<boolean> {
    const { at = '2026-03-01T12:00:00Z', subject = '', body = '', headers = {} } = vector;
    const all = createHeaders();
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    const message = { subject, reply: vector.reply, headers: all, data: Buffer.from(body) } as unknown as Msg;
    switch (of) {
      case 'question': {
        const before = this.#asked;
        vi.useFakeTimers({ now: new Date(at), toFake: ['Date'] });
        this.#heard?.(message);
        await Promise.resolve();
        return this.#asked > before;
      }
      case 'answer': {
        const checked = this.#signatures.checkReply(vectors['question']?.headers?.[SIGNATURE_HEADER] ?? '', message);
        return checked.ok && checked.value.role === 'agent' && checked.value.id === 'web1';
      }
      case 'verdict': {
        const checked = this.#signatures.checkMessage(subject, message);
        if (!checked.ok || !(rows.health.publishers as readonly string[]).includes(checked.value.role)) return false;
        const verdict = Verdict.parse(JSON.parse(body));
        if (verdict.source !== `${checked.value.role}/${checked.value.id}`) return false;
        if (this.#newest !== undefined && comparePositions(verdict, this.#newest) < 0) return false;
        this.#newest = verdict;
        return true;
      }
      case 'revocations':
        return (await this.#revocations.offer(vector.text ?? '')).outcome === 'newer';
    }
  }
}

async function startProgram(): Promise<Program> {
  const program = new Program();
  await program.start();
  return program;
}

test.each(['question', 'personsQuestion', 'answer', 'verdict', 'revocations'] as const)('%s is taken', async (name) => {
  const program = await startProgram();
  expect(await program.takes(vectors[name] as Vector, name === 'personsQuestion' ? 'question' : name)).toBe(true);
});

describe.each(vectors.refused)('$of: $why', (vector) => {
  test('is refused', async () => {
    const program = await startProgram();
    for (const given of vector.given ?? []) {
      const before = typeof given === 'string' ? (vectors[given] as Vector) : { ...vector, ...given };
      expect(await program.takes(before, typeof given === 'string' ? (given as Vector['of']) : vector.of)).toBe(true);
    }
    expect(await program.takes(vector)).toBe(false);
  });
});
