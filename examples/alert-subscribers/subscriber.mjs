/*
 * Prints Muster's alerts as they come. Run it in the clone:
 *
 *   node examples/alert-subscribers/subscriber.mjs
 *
 * It needs only @nats-io/transport-node and the credentials of an observer, who may listen to alerts and do nothing else. What
 * fired while it was away comes first.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { connect, credsAuthenticator } from '@nats-io/transport-node';

const url = process.env.MUSTER_BUS_URL || 'nats://127.0.0.1:4222';
const creds = process.env.MUSTER_BUS_CREDENTIALS || '.muster/keys/observer-alerts.creds';
const environment = process.env.MUSTER_ENVIRONMENT || 'development';

// A bus that is reached from other hosts speaks TLS: its CA, our certificate and the key lie beside the credentials.
const beside = (name) => resolve(dirname(creds), name);
const own = basename(creds, '.creds');
const tls = { caFile: beside('ca.crt'), certFile: beside(`${own}.crt`), keyFile: beside(`${own}.key`) };

const connection = await connect({
  servers: url.split(','),
  ...(url.startsWith('tls://') ? { tls } : {}),
  authenticator: credsAuthenticator(await readFile(creds)),
  maxReconnectAttempts: -1,
});
// What the bus keeps for this observer, <id> in observer-<id>.creds. Who needs no more than what comes from now on listens
// to `alert.>` instead, or to `alert.critical.*.*.*`: alert.<severity>.<host>.<service>.<rule>.
const id = own.replace(/^observer-/, '');
const alerts = connection.subscribe(`muster.v1.${environment}.deliver.observer.${id}`);
await connection.flush();
console.error(`listening on ${connection.getServer()}`);
process.once('SIGINT', () => void connection.drain());

for await (const message of alerts) {
  // A CloudEvents 1.0 document. `data.fingerprint` is the same through all states of one alert.
  const { data } = message.json();
  const place = data.service === '_' ? data.host : `${data.host}/${data.service}`;
  // Whoever may send alerts should not be able to move your cursor with one.
  const sentence = `${data.state} ${data.severity} ${place} ${data.rule}: ${data.summary}`;
  console.log(sentence.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD'));
}
