/*
 * How observers hear every alert. An observer may call nothing of JetStream's, so the set-up makes a consumer for it, which
 * pushes what the stream of alerts holds and goes on where it was when the observer comes back.
 */
import { buildSubject } from './subject.ts';

/** Where the server delivers the alerts of one observer, and only that one listens. They bear their own subjects. */
export function observerDelivery(env: string, id: string): string {
  return buildSubject(env, 'deliver.observer.{observer}', { observer: id });
}

/** The name of its consumer on the stream of alerts. */
export function observerConsumer(id: string): string {
  return `observer-${id}`;
}
