import type { z } from 'zod';
import type { Row } from '../rows.ts';
import { buildFilter, buildSubject, type SubjectParams } from '../subject.ts';
import type { Subscription } from './bus.ts';
import { encodeMessage, refuseForeign } from './codec.ts';
import type { Link } from './gate.ts';
import { withHeaders } from './inbox.ts';
import { RowReader, type RowReaderDependencies } from './row-reader.ts';

/** Core messages: sent now or never, heard by whoever listens. */
export class PubSub {
  readonly #connection: Link;
  readonly #reading: RowReaderDependencies;

  constructor(connection: Link, reading: RowReaderDependencies) {
    this.#connection = connection;
    this.#reading = reading;
  }

  publish<T extends string, S extends z.ZodType>(row: Row<T, S>, params: SubjectParams<T>, message: z.input<S>): void {
    const { environment, signatures, tally } = this.#reading;
    const subject = buildSubject(environment, row.template, params);
    refuseForeign(row.names, params, subject, message);
    const payload = encodeMessage(row.schema, subject, message, row.maxBytes);
    const client = this.#connection.client;
    if (client === undefined || client.isClosed() || client.isDraining()) {
      tally.count('dropped');
      return;
    }
    client.publish(subject, payload, withHeaders(row.isSigned && { ...signatures.signMessage(subject, payload) }));
    tally.count('published');
  }

  subscribe<T extends string, S extends z.ZodType>(
    row: Row<T, S>,
    filter: Partial<SubjectParams<T>>,
    handler: (message: z.output<S>, params: SubjectParams<T>) => void,
  ): Subscription {
    const reader = new RowReader(this.#reading, row);
    return this.#connection.subscribe(buildFilter(this.#reading.environment, row.template, filter), (arrival) => {
      const read = reader.read(arrival);
      if (read !== undefined) handler(read.message, read.params);
    });
  }
}
