import { readFileSync } from 'node:fs';
import { connect, credsAuthenticator, headers } from '@nats-io/transport-node';
import { bytesToSign, readCredentials, signerOf, Verifier } from './muster.mjs';

/** Where, as whom: MUSTER_BUS_URL and MUSTER_BUS_CREDENTIALS. Role, id and environment are in the grant. */
export async function connectToMuster() {
  const text = readFileSync(process.env.MUSTER_BUS_CREDENTIALS, 'utf8');
  const { seed, grant, roots, own } = readCredentials(text);
  const connection = await connect({
    servers: process.env.MUSTER_BUS_URL ?? 'nats://127.0.0.1:4222',
    authenticator: credsAuthenticator(new TextEncoder().encode(text)),
    // What the server itself answers comes here; no other inbox may be listened on.
    inboxPrefix: `_INBOX.${own.role}.${own.id}`,
    maxReconnectAttempts: -1,
  });
  const sign = signerOf(seed);
  return {
    connection,
    own,
    root: `muster.v1.${own.environment}`,
    verifier: new Verifier(own.environment, roots),
    signed: (purpose, head, body) => ({
      'Muster-Signature': sign(bytesToSign(purpose, head, body)),
      'Muster-Grant': grant,
    }),
  };
}

/** For `publish` and `request`. */
export function toHeaders(values) {
  const all = headers();
  for (const [name, value] of Object.entries(values)) all.set(name, String(value));
  return all;
}

/** As the verifier takes it. */
export function fromMessage(message) {
  const names = ['Muster-Signature', 'Muster-Grant', 'Muster-Person'];
  const values = names.map((name) => [name, message.headers?.get(name) || undefined]);
  return {
    subject: message.subject,
    reply: message.reply,
    headers: Object.fromEntries(values),
    body: message.string(),
  };
}

let asked = 0;
const run = crypto.randomUUID();

/** One question of an agent, signed; its answer, proven. Throws for a refusal as well. */
export async function ask({ connection, own, root, verifier, signed }, host, verb, fields, timeout = 5_000) {
  const subject = `${root}.command.${host}.${verb}`;
  const source = `${own.role}/${own.id}`;
  const body = JSON.stringify({
    id: crypto.randomUUID(),
    time: new Date().toISOString(),
    source,
    actor: source,
    ...fields,
  });
  const head = signed('request', subject, body);
  const reply = `${root}.answer.${host}.${own.role}.${own.id}.${run}.${++asked}`;
  // noMux: a subscription of its own, on the reply subject that we name.
  const message = await connection.request(subject, body, { noMux: true, reply, timeout, headers: toHeaders(head) });
  return verifier.answer(fromMessage(message), head['Muster-Signature'], { role: 'agent', id: host });
}
