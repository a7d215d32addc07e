/*
 * The least that an agent must do. It speaks for the host in its credentials, has one service, `clock`, which is this program
 * itself, and obeys nothing:
 *
 *   npx muster bus keys --add agent-web9
 *   MUSTER_BUS_CREDENTIALS=.muster/keys/agent-web9.creds node examples/foreign-clients/agent.mjs
 */
import { createHash } from 'node:crypto';
import { ask, connectToMuster, fromMessage, toHeaders } from './connect.mjs';

const bus = await connectToMuster();
const { connection, own, root, verifier, signed } = bus;
const host = own.id;
const service = 'clock';
const keys = [`${host}.${service}._`, `${host}.${service}.0`];
// One per start, and higher than the last one's; seq counts what this run says.
const epoch = Math.floor(Date.now() / 1_000);
const startedAt = new Date().toISOString();
let seq = 0;

const unordered = () => ({ id: crypto.randomUUID(), time: new Date().toISOString(), source: `agent/${host}` });
const ordered = () => ({ ...unordered(), epoch, seq: ++seq });

// Whoever else speaks for this host answers this question; then we must not.
const claimant = {
  claimant: crypto.randomUUID(),
  agentId: process.env.AGENT_ID ?? crypto.randomUUID(),
  bootId: 'none',
  epoch,
};
const rival = await ask(bus, host, 'claim', { ...claimant, isHolder: false }, 2_000).catch(() => undefined);
if (rival !== undefined) throw new Error(`another agent (${rival.agentId}) speaks for ${host}`);

// What is said first and what came of it comes first into the stream, then into the bucket.
const changed = {
  host,
  service,
  instance: 0,
  generation: 1,
  ready: 'yes',
  desired: 'up',
  reason: 'started',
  causes: [],
};
const event = { ...ordered(), ...changed, from: 'starting', to: 'running' };
await store(`${root}.service.${host}.${service}.0.event`, event);
const status = {
  ...ordered(),
  ...changed,
  state: 'running',
  changedAt: startedAt,
  startedAt,
  pid: process.pid,
  restarts: 0,
  restartBudget: 0,
  restartWindowMs: 0,
  system: false,
};
const spec = {
  ...ordered(),
  host,
  service,
  type: 'process',
  command: 'agent.mjs',
  environmentNames: [],
  dependencies: [],
  autoRestart: false,
  maxRestarts: 0,
  restartDelayMs: 0,
  job: false,
  system: false,
  instances: 1,
  labels: {},
  specHash: 'none',
};
await put(`muster_${own.environment}_specs`, keys[0], spec);
await put(`muster_${own.environment}_status`, keys[1], status);

/** Behind the last message of its subject; a refusal says which that is, and the same id is not stored twice. */
async function store(subject, message, last = 0) {
  const headers = toHeaders({ 'Nats-Msg-Id': message.id, 'Nats-Expected-Last-Subject-Sequence': last });
  const ack = (await connection.request(subject, JSON.stringify(message), { headers, timeout: 5_000 })).json();
  const actual = /wrong last sequence: (\d+)/.exec(ack.error?.description ?? '')?.[1];
  if (actual !== undefined) await store(subject, message, actual);
  else if (ack.error) throw new Error(ack.error.description);
}

async function put(bucket, key, value) {
  const ack = (await connection.request(`$KV.${bucket}.${key}`, JSON.stringify(value), { timeout: 5_000 })).json();
  if (ack.error) throw new Error(ack.error.description);
}

const PEOPLE = ['dashboard', 'operator', 'admin'];
const READERS = { roles: [...PEOPLE, 'prober'], people: 'viewer' };
const ANSWERS = {
  status: { ...READERS, answer: () => ({ ...position(), instances: [status] }) },
  why: {
    ...READERS,
    answer: (request) =>
      request.service === service
        ? { ...position(), status, events: [event] }
        : { ...position(), events: [], ...refusal('unknown-service', `no service '${request.service}' here`) },
  },
  outcome: { ...READERS, answer: () => ({ outcome: 'unknown', reason: 'nothing was ever done here' }) },
  revocations: {
    roles: ['prober', 'operator', 'admin'],
    answer: ({ list }) => ({ version: verifier.revocations(list).version }),
  },
};
const refusal = (code, reason) => ({ accepted: false, code, reason });

/** Where we stand. What an agent obeys must quote such a position, said within 10 s; this one obeys nothing. */
function position() {
  const { id: _id, time: _time, source: _source, ...at } = ordered();
  return at;
}

connection.subscribe(`${root}.command.${host}.>`, {
  callback: (error, message) => {
    if (error) return;
    const verb = message.subject.split('.').at(-1);
    const rule = ANSWERS[verb] ?? { roles: verb === 'claim' ? ['agent'] : PEOPLE, people: 'operator' };
    let asker;
    try {
      asker = verifier.question(fromMessage(message), rule);
    } catch (error) {
      console.error(`not answered: ${message.subject}: ${error.message}`);
      return;
    }
    const request = message.json();
    if (request.claimant === claimant.claimant) return;
    let told = {};
    try {
      // A person may be held to services with certain labels: ours has none.
      if (Object.keys(asker.person?.labels ?? {}).length > 0) told = refusal('forbidden', 'it has none of your labels');
      else if (verb === 'claim')
        told = { ...refusal('wrong-state', 'another agent speaks for this host'), ...claimant };
      else told = rule.answer?.(request) ?? refusal('unsupported', `this agent cannot '${verb}'`);
    } catch (error) {
      told = refusal('forbidden', error.message);
    }
    const body = JSON.stringify({
      ...unordered(),
      commandId: request.id,
      accepted: true,
      code: 'ok',
      reason: '',
      ...told,
    });
    message.respond(body, { headers: toHeaders(signed('reply', asker.signature, body)) });
  },
});
await connection.flush();

const keysDigest = createHash('sha256').update(keys.toSorted().join('\n')).digest('hex').slice(0, 16);
for (;;) {
  const heartbeat = {
    ...ordered(),
    host,
    version: 'example',
    uptimeSeconds: process.uptime(),
    eventLoopLagMs: 0,
    agentId: claimant.agentId,
    bootId: claimant.bootId,
    networkNamespace: 'none',
    monotonicMs: performance.now(),
    keysDigest,
    services: 1,
    backlog: 0,
  };
  connection.publish(`${root}.host.${host}.presence`, JSON.stringify(heartbeat));
  if (seq < 10) console.error(`speaking for ${host}`);
  await new Promise((resolve) => setTimeout(resolve, 1_500 + 1_000 * Math.random()));
}
