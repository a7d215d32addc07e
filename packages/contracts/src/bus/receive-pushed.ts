import type { z } from 'zod';
import type { Row } from '../rows.ts';
import { streamName } from '../streams.ts';
import type { PushedMessage, Subscription } from './bus.ts';
import type { Link } from './gate.ts';
import { RowReader, type RowReaderDependencies } from './row-reader.ts';
import { deliveryOf } from './stream-reader.ts';

/** Listens where a consumer pushes. See `Bus.receive`. */
export function receivePushed<T extends string, S extends z.ZodType>(
  dependencies: RowReaderDependencies & { readonly connection: Link },
  row: Row<T, S>,
  deliverSubject: string,
  handler: (pushed: PushedMessage<T, S>) => void,
): Subscription {
  if (row.stream === undefined) throw new TypeError(`no stream keeps '${row.template}'`);
  const stream = streamName(dependencies.environment, row.stream);
  const reader = new RowReader(dependencies, row);
  return dependencies.connection.subscribe(
    deliverSubject,
    (message) => {
      const delivery = deliveryOf(message, stream);
      const read = delivery && reader.read(delivery);
      if (read === undefined) return;
      const { seq, time, deliverySeq } = delivery as NonNullable<typeof delivery>;
      handler({ ...read, seq, time, deliverySeq });
    },
    // What is delivered bears the subject that it was stored under; what does not come from the stream is somebody else's.
    { accepts: (message) => deliveryOf(message, stream) !== undefined },
  );
}
