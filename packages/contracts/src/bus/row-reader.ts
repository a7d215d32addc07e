import type { MsgHdrs } from '@nats-io/transport-node';
import type { z } from 'zod';
import { comparePositions, ENCODING_HEADER, type OrderedEnvelope, type Position } from '../envelope.ts';
import { type Grant, isInScope } from '../messages/grant.ts';
import { whyForeign } from '../names.ts';
import type { Row } from '../rows.ts';
import { parseSubject, type SubjectParams } from '../subject.ts';
import { decodeMessage } from './codec.ts';
import { SeenIds } from './seen-ids.ts';
import { isServerCopy, SERVER_COPY } from './server-copy.ts';
import type { Tally } from './tally.ts';
import type { Signatures } from './trust/signatures.ts';

/** Who reads, whom it believes, and where it counts what it does not take. */
export interface RowReaderDependencies {
  readonly environment: string;
  readonly signatures: Signatures;
  readonly tally: Tally;
}

/** Of a subscription; what is read out of a stream may hold more. */
const REMEMBERED_IDS = 16_384;

interface Arrival {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
}

export interface RowMessage<T extends string, S extends z.ZodType> {
  readonly message: z.output<S>;
  readonly params: SubjectParams<T>;
}

/** Makes messages of what comes for one row, live or out of its stream, in the order in which it comes. */
export class RowReader<T extends string, S extends z.ZodType> {
  readonly #dependencies: RowReaderDependencies;
  readonly #row: Row<T, S>;
  /** Of a signed row: by subject and sender. */
  readonly #newest = new Map<string, Position>();
  /** Of what a stream keeps: it may be stored twice. */
  readonly #seen: SeenIds | undefined;

  /** `rememberedIds`: how many messages it knows again. */
  constructor(dependencies: RowReaderDependencies, row: Row<T, S>, rememberedIds = REMEMBERED_IDS) {
    this.#dependencies = dependencies;
    this.#row = row;
    this.#seen = row.kind === 'stream' ? new SeenIds(rememberedIds) : undefined;
  }

  /** `undefined` for what is none, and for what was read before; both are counted. Never throws. */
  read(arrival: Arrival): RowMessage<T, S> | undefined {
    const { environment, tally } = this.#dependencies;
    const { schema, names, maxBytes } = this.#row;
    const { subject, data, headers } = arrival;
    const params = parseSubject(environment, this.#row.template, subject);
    if (params === undefined) {
      tally.problem('foreign', subject, `not a subject of '${this.#row.template}'`);
      return undefined;
    }
    if (isServerCopy(headers)) {
      tally.problem('forged', subject, SERVER_COPY);
      return undefined;
    }
    // Before anything of it is read: who may not say it costs a signature, and no more.
    const signer = this.#row.isSigned ? this.#signerOf(arrival, params) : undefined;
    if (typeof signer === 'string') {
      tally.problem('forged', subject, signer);
      return undefined;
    }
    const decoded = decodeMessage(schema, data, { encoding: headers?.get(ENCODING_HEADER), maxBytes });
    if (!decoded.ok) {
      tally.problem(decoded.kind, subject, decoded.reason);
      return undefined;
    }
    const { message } = decoded;
    const foreign = whyForeign(names, params, message);
    if (foreign !== undefined) {
      tally.problem('foreign', subject, foreign);
      return undefined;
    }
    // What is signed has an ordered envelope: see `signed` in rows.ts.
    const notNews = signer && this.#whyNotNews(subject, signer, message as OrderedEnvelope);
    if (notNews !== undefined) {
      tally.problem('forged', subject, notNews);
      return undefined;
    }
    const { id } = message as { readonly id?: string };
    if (id !== undefined && this.#seen?.note(subject, id) === false) {
      tally.count('doubled');
      return undefined;
    }
    return { message, params };
  }

  /** Who proves to say it and may; else why it is not believed. */
  #signerOf(arrival: Arrival, params: Readonly<Record<string, unknown>>): Grant | string {
    const { publishers } = this.#row;
    const signed = this.#dependencies.signatures.checkMessage(arrival.subject, arrival);
    if (!signed.ok) return signed.reason;
    const { role, id } = signed.value;
    if (!publishers.includes(role)) {
      return `${role}/${id} may not say this: the roles that may are ${publishers.join(', ')}`;
    }
    const host = params['host'];
    if (typeof host === 'string' && !isInScope(signed.value, host))
      return `${role}/${id} is not granted host '${host}'`;
    return signed.value;
  }

  /** A signature holds for ever: whoever kept an old message can say it again. The newest one again is no harm. */
  #whyNotNews(subject: string, { role, id }: Grant, { source, epoch, seq }: OrderedEnvelope): string | undefined {
    if (source !== `${role}/${id}`) return `it is signed by ${role}/${id}, and says that it is from ${source}`;
    const key = `${subject} ${source}`;
    const newest = this.#newest.get(key);
    if (newest !== undefined && comparePositions({ epoch, seq }, newest) < 0) {
      return `it is an old one: a later one of ${source} came before it`;
    }
    this.#newest.set(key, { epoch, seq });
    return undefined;
  }
}
