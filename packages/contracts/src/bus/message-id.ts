import { createHmac } from 'node:crypto';

const LENGTH = 16;

/**
 * The id by which the server knows, for as long as its duplicate window, a message that it has stored. It knows it whatever the
 * subject, so whoever could guess an id could have it stored first, and the true message taken for stored: `secret` keeps
 * ids apart that follow from what the message is about.
 */
export function messageIdOf(secret: string, subject: string, id: string): string {
  return createHmac('sha256', secret).update(`${subject}\n${id}`).digest('base64url').slice(0, LENGTH);
}
