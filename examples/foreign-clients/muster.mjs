/*
 * What Muster signs, checked and made with node:crypto alone: written from docs/protocol.md (Signing) and
 * docs/schemas/signature-vectors.json. Copy it into your own program.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** ASN.1 of an ed25519 key, up to its 32 bytes: node:crypto takes no raw ones. */
const PUBLIC_DER = Buffer.from('302a300506032b6570032100', 'hex');
const PRIVATE_DER = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The bytes of an nkey: [kind, 32 bytes of the key], or of a seed [two bytes of kind, 32 bytes]. */
export function decodeNkey(text) {
  let bits = 0;
  let value = 0;
  const bytes = [];
  for (const letter of text) {
    const five = BASE32.indexOf(letter);
    if (five < 0) throw new Error(`not an nkey: '${letter}' is not base32`);
    value = ((value << 5) | five) & 0xffff;
    bits += 5;
    if (bits >= 8) bytes.push((value >> (bits -= 8)) & 0xff);
  }
  const body = Buffer.from(bytes.slice(0, -2));
  if (crc16(body) !== Buffer.from(bytes.slice(-2)).readUInt16LE()) throw new Error('not an nkey: wrong checksum');
  return body;
}

function crc16(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** 'U' for a user, 'O' for a root. */
function publicKey(nkey, kind) {
  const bytes = decodeNkey(nkey);
  if (nkey[0] !== kind || bytes.length !== 33) throw new Error(`not a public key of kind ${kind}`);
  return createPublicKey({ key: Buffer.concat([PUBLIC_DER, bytes.subarray(1)]), format: 'der', type: 'spki' });
}

export function signerOf(seed) {
  const key = createPrivateKey({
    key: Buffer.concat([PRIVATE_DER, decodeNkey(seed).subarray(2)]),
    format: 'der',
    type: 'pkcs8',
  });
  return (bytes) => sign(null, bytes, key).toString('base64url');
}

/** One text per signature: base64url without padding, and nothing else. */
function verifies(key, bytes, signature) {
  const raw = Buffer.from(signature, 'base64url');
  return raw.length === 64 && raw.toString('base64url') === signature && verify(null, bytes, key, raw);
}

/** purpose: request, reply, message, grant, person or revocations. */
export function bytesToSign(purpose, head, body = '') {
  return Buffer.concat([Buffer.from([0xff]), Buffer.from(`muster-${purpose}-1\n${head}\n`), Buffer.from(body)]);
}

/** The blocks of a .creds file. */
export function readCredentials(text) {
  const blocks = [...text.matchAll(/-{3,}BEGIN ([A-Z ]+)-{3,}\s+(\S+)\s+-{3,}END \1-{3,}/g)];
  const all = (label) => blocks.filter((block) => block[1] === label).map((block) => block[2]);
  const [grant] = all('MUSTER GRANT');
  return {
    seed: all('USER NKEY SEED')[0],
    grant,
    roots: all('MUSTER ROOT'),
    own: JSON.parse(Buffer.from(grant.split('.')[0], 'base64url')),
  };
}

/** A payload that one of these keys has signed: a grant, a person's grant, a list of revoked keys. */
function openText(purpose, text, keys, kind) {
  const [payload, signature, ...more] = text.split('.');
  const isSigned =
    !more.length &&
    signature &&
    keys.some((key) => verifies(publicKey(key, kind), bytesToSign(purpose, payload), signature));
  if (!isSigned) throw new Error(`the ${purpose} is not signed by who must`);
  return JSON.parse(Buffer.from(payload, 'base64url'));
}

/** Whoever signs names itself as the sender. */
function refuseOther(body, { role, id }) {
  if (body.source !== `${role}/${id}`) throw new Error('it names another sender');
  return body;
}

const PEOPLE = ['viewer', 'operator', 'admin'];
const MAX_HEARD = 4096;

/** Who is believed here, and what was heard. `me`: the host that this agent speaks for. */
export class Verifier {
  #roots;
  #environment;
  #heard = new Set();
  #revoked = new Set();
  #listVersion = 0;
  #newest = new Map();

  constructor(environment, roots) {
    this.#environment = environment;
    this.#roots = roots;
  }

  grant(text) {
    const grant = openText('grant', text, this.#roots, 'O');
    if (grant.version !== 1) throw new Error('a grant of a version that is not known here');
    if (grant.environment !== this.#environment) throw new Error(`a grant for ${grant.environment}`);
    return grant;
  }

  #signed(purpose, head, { headers, body }) {
    const { 'Muster-Signature': signature, 'Muster-Grant': text } = headers;
    if (!signature || !text) throw new Error('not signed');
    const grant = this.grant(text);
    if (!verifies(publicKey(grant.key, 'U'), bytesToSign(purpose, head, body), signature))
      throw new Error(`not what ${grant.role}/${grant.id} has signed`);
    return grant;
  }

  #refuseRevoked({ key, role, id }) {
    if (this.#revoked.has(key)) throw new Error(`the key of ${role}/${id} is revoked`);
  }

  /** Throws for what gets no answer, or a refusal. `rule`: which roles may ask this, and the least role of a person. */
  question({ subject, reply, headers, body }, rule, nowMs = Date.now()) {
    const root = `muster.v1.${this.#environment}.`;
    const [, host] = subject.slice(root.length).split('.');
    const place = (reply ?? '').split('.');
    if (
      !subject.startsWith(`${root}command.`) ||
      !(reply ?? '').startsWith(`${root}answer.${host}.`) ||
      place.length < 8
    ) {
      throw new Error('the reply subject is not in the space of these answers');
    }
    const person = headers['Muster-Person'];
    const grant = this.#signed('request', person ? `${subject} ${person}` : subject, { headers, body });
    const signature = headers['Muster-Signature'];
    if (this.#heard.has(signature)) throw new Error('heard before');
    this.#heard.add(signature);
    if (this.#heard.size > MAX_HEARD) this.#heard.delete(this.#heard.values().next().value);
    this.#refuseRevoked(grant);
    if (!rule.roles.includes(grant.role)) throw new Error(`${grant.role}/${grant.id} may not ask this`);
    if (grant.hosts !== 'all' && !grant.hosts.includes(host)) throw new Error(`not granted host ${host}`);
    const who = person ? this.#person(person, grant, host, rule.people, nowMs) : undefined;
    if (place[5] !== grant.role || place[6] !== grant.id) throw new Error('the answer would go to somebody else');
    refuseOther(JSON.parse(body), grant);
    return { grant, person: who, signature };
  }

  #person(text, grant, host, least, nowMs) {
    const person = openText('person', text, [grant.key], 'U');
    if (person.version !== 1 || person.environment !== this.#environment) throw new Error('a person of elsewhere');
    if (PEOPLE.indexOf(person.role) > PEOPLE.indexOf(grant.delegates))
      throw new Error('more than the dashboard may delegate');
    if (grant.hosts !== 'all' && (person.hosts === 'all' || person.hosts.some((one) => !grant.hosts.includes(one))))
      throw new Error('hosts that the dashboard is not granted');
    if (person.hosts !== 'all' && !person.hosts.includes(host))
      throw new Error(`the person is not granted host ${host}`);
    if (Date.parse(person.expiresAt) <= nowMs) throw new Error("the person's grant has ended");
    if (least === undefined || PEOPLE.indexOf(person.role) < PEOPLE.indexOf(least))
      throw new Error('too little a role');
    return person;
  }

  /** `to`: the signature of the question; `answerer`: role and, of an agent, id that was asked. */
  answer(message, to, answerer) {
    const grant = this.#signed('reply', to, message);
    this.#refuseRevoked(grant);
    if (grant.role !== answerer.role || (answerer.id !== undefined && grant.id !== answerer.id))
      throw new Error(`from ${grant.role}/${grant.id}, who was not asked`);
    return refuseOther(JSON.parse(message.body), grant);
  }

  verdict({ subject, ...message }) {
    const grant = this.#signed('message', subject, message);
    this.#refuseRevoked(grant);
    if (grant.role !== 'prober') throw new Error(`${grant.role} publishes no verdicts`);
    const verdict = JSON.parse(message.body);
    const host = subject.split('.')[4];
    if (grant.hosts !== 'all' && !grant.hosts.includes(host)) throw new Error(`not granted host ${host}`);
    refuseOther(verdict, grant);
    const place = `${subject} ${verdict.source}`;
    const last = this.#newest.get(place);
    if (last && (verdict.epoch - last.epoch || verdict.seq - last.seq) < 0)
      throw new Error('older than what was heard');
    this.#newest.set(place, verdict);
    return verdict;
  }

  revocations(text) {
    const list = openText('revocations', text, this.#roots, 'O');
    if (list.environment !== this.#environment) throw new Error('a list of elsewhere');
    if (list.version <= this.#listVersion) throw new Error('no later than the list in force');
    this.#listVersion = list.version;
    this.#revoked = new Set(list.revoked.map(({ key }) => key));
    return list;
  }
}
