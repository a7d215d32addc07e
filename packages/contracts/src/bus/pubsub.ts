import type { z } from 'zod';
import { ENCODING_HEADER } from '../envelope.ts';
import type { Row } from '../rows.ts';
import { buildFilter, buildSubject, parseSubject, type SubjectParams } from '../subject.ts';
import type { Subscription } from './bus.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import type { Connection } from './connection.ts';
import type { Tally } from './tally.ts';

/** Core messages: sent now or never, heard by whoever listens. */
export class PubSub {
  readonly #environment: string;
  readonly #connection: Connection;
  readonly #tally: Tally;

  constructor(environment: string, connection: Connection, tally: Tally) {
    this.#environment = environment;
    this.#connection = connection;
    this.#tally = tally;
  }

  publish<T extends string, S extends z.ZodType>(row: Row<T, S>, params: SubjectParams<T>, message: z.input<S>): void {
    const subject = buildSubject(this.#environment, row.template, params);
    const payload = encodeMessage(row.schema, subject, message);
    const client = this.#connection.client;
    if (client === undefined || client.isClosed() || client.isDraining()) {
      this.#tally.count('dropped');
      return;
    }
    client.publish(subject, payload);
    this.#tally.count('published');
  }

  subscribe<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    handler: (message: z.output<S>, params: SubjectParams<T>) => void,
  ): Subscription {
    return this.#connection.subscribe(
      buildFilter(this.#environment, row.template, filter),
      ({ subject, data, headers }) => {
        const params = parseSubject(this.#environment, row.template, subject);
        if (params === undefined) {
          this.#tally.problem('foreign', subject, `not a subject of '${row.template}'`);
          return;
        }
        const decoded = decodeMessage(row.schema, data, headers?.get(ENCODING_HEADER));
        if (decoded.ok) handler(decoded.message, params);
        else this.#tally.problem(decoded.kind, subject, decoded.reason);
      },
    );
  }
}
