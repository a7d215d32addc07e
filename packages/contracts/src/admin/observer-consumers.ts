/*
 * The durable consumers by which observers hear alerts that fired while they were away.
 *
 * They are of the push kind and acknowledge nothing, for whoever may acknowledge can aim the server's answer at JetStream's
 * API. So what was on its way to an observer that died counts as delivered: it sees the gap in the deliveries' own sequence
 * and asks the probers for it.
 */
import type { ConsumerConfig, ConsumerInfo } from '@nats-io/jetstream';
import { NoStreamError } from '../bus/errors.ts';
import type { NatsBus } from '../bus/nats-bus.ts';
import { observerConsumer, observerDelivery } from '../observers.ts';
import { streamName } from '../streams.ts';

/** Makes what is missing, for these observers' ids. What fired before it was made is not delivered. @throws as `callJetStream` */
export async function setUpObservers(bus: NatsBus, ids: readonly string[]): Promise<readonly string[]> {
  const made = await Promise.all(ids.map((id) => setUpObserver(bus, id)));
  return ids.filter((_, at) => made[at]);
}

/** False when it was as it must be. */
async function setUpObserver(bus: NatsBus, id: string): Promise<boolean> {
  const stream = streamName(bus.environment, 'alerts');
  const name = observerConsumer(id);
  const wanted = consumerConfig(bus.environment, id);
  const present = await findConsumer(bus, stream, name);
  if (present !== undefined) {
    if (present.config.deliver_subject === wanted.deliver_subject) return false;
    await bus.callJetStream(`CONSUMER.DELETE.${stream}.${name}`);
  }
  await bus.callJetStream(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, { stream_name: stream, config: wanted });
  return true;
}

function consumerConfig(env: string, id: string): Partial<ConsumerConfig> {
  return {
    durable_name: observerConsumer(id),
    deliver_subject: observerDelivery(env, id),
    deliver_policy: 'new',
    ack_policy: 'none',
    replay_policy: 'instant',
  };
}

async function findConsumer(bus: NatsBus, stream: string, name: string): Promise<ConsumerInfo | undefined> {
  return bus.callJetStream<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`).catch((error: unknown) => {
    if (error instanceof NoStreamError) return undefined;
    throw error;
  });
}
