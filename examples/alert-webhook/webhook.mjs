/*
 * Posts Muster's alerts to a webhook. Run it in the clone:
 *
 *   node examples/alert-webhook/webhook.mjs https://example.org/alerts
 *
 * Each alert is sent as a CloudEvent in structured mode (https://cloudevents.io), with its id as Idempotency-Key, so that
 * the receiver can tell a repetition. What is not taken is sent again for some time; alerts of one fingerprint stay in order.
 * It needs only @nats-io/transport-node and the credentials of an observer, who may listen to alerts and do nothing else.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, credsAuthenticator } from '@nats-io/transport-node';

const TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = Number(process.env.MUSTER_WEBHOOK_RETRY_MS) || 1_000;
const LAST_RETRY_MS = 60_000;
const GIVE_UP_MS = 3_600_000;
/** So many alerts may wait; what comes beyond that is given up, and said to be. */
const MAX_WAITING = 10_000;

const target = process.argv[2];
if (target === undefined || !URL.canParse(target)) {
  console.error('usage: node examples/alert-webhook/webhook.mjs URL');
  process.exit(2);
}
const url = process.env.MUSTER_BUS_URL || 'nats://127.0.0.1:4222';
const creds = process.env.MUSTER_BUS_CREDENTIALS || '.muster/keys/observer-alerts.creds';
const environment = process.env.MUSTER_ENVIRONMENT || 'development';

const connection = await connect({
  servers: url.split(','),
  authenticator: credsAuthenticator(await readFile(creds)),
  maxReconnectAttempts: -1,
});
// What the bus keeps for this observer, <id> in observer-<id>.creds: what fired while it was away comes first.
const id = basename(creds, '.creds').replace(/^observer-/, '');
const alerts = connection.subscribe(`muster.v1.${environment}.deliver.observer.${id}`);
await connection.flush();
console.error(`listening on ${connection.getServer()}, posting to ${new URL(target).origin}`);
process.once('SIGINT', () => void connection.drain());

/** What waits, by fingerprint: one alert's changes are posted one after the other, different alerts beside each other. */
const waiting = new Map();
let count = 0;

for await (const message of alerts) {
  const alert = message.json();
  const key = alert.data.fingerprint;
  if (count >= MAX_WAITING) {
    console.error(`${alert.subject} ${alert.data.state}: given up, ${MAX_WAITING} alerts wait`);
    continue;
  }
  count += 1;
  const queue = waiting.get(key);
  if (queue !== undefined) {
    queue.push({ alert, sinceMs: performance.now() });
    continue;
  }
  waiting.set(key, [{ alert, sinceMs: performance.now() }]);
  void postAll(key);
}

async function postAll(key) {
  const queue = waiting.get(key);
  while (queue.length > 0) {
    const { alert, sinceMs } = queue[0];
    await postUntilTaken(alert, sinceMs);
    queue.shift();
    count -= 1;
  }
  waiting.delete(key);
}

async function postUntilTaken(alert, sinceMs) {
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(LAST_RETRY_MS, 2 * retryMs)) {
    const refusal = await post(alert);
    if (refusal === undefined) return;
    const isFinal = refusal.isFinal || performance.now() - sinceMs > GIVE_UP_MS;
    console.error(`${alert.subject} ${alert.data.state}: ${refusal.reason}${isFinal ? ': given up' : ''}`);
    if (isFinal) return;
    // Jittered, so that many alerts do not come back as one.
    await delay(refusal.retryAfterMs ?? retryMs * (0.75 + Math.random() / 2));
  }
}

/** Why it was not taken; `undefined` when it was. */
async function post(alert) {
  try {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'Content-Type': 'application/cloudevents+json; charset=utf-8', 'Idempotency-Key': alert.id },
      body: JSON.stringify(alert),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.arrayBuffer();
    if (response.ok) return undefined;
    const retryAfterMs = Number(response.headers.get('Retry-After')) * 1_000;
    return {
      reason: `the webhook answered ${response.status}`,
      // It will not like it better the next time, unless it is busy or was too slow.
      isFinal: response.status < 500 && response.status !== 429 && response.status !== 408,
      ...(retryAfterMs > 0 && { retryAfterMs: Math.min(retryAfterMs, LAST_RETRY_MS) }),
    };
  } catch (error) {
    return { reason: `the webhook was not reached: ${error.cause?.message ?? error.message}`, isFinal: false };
  }
}
