/*
 * Questions, answers and messages that prove who says them.
 *
 * The server's permissions say who may publish where. They do not hold against whoever may read streams: such a client
 * can have the server itself publish stored bytes on any subject. So each question is signed by its asker over the
 * subject and the bytes, and each answer by its giver over the question's signature and the bytes; a message of a row
 * that says so by its sender, over the subject and the bytes. Beside each signature stands the grant by which the root says
 * whose key it is. What is checked here needs no clock and no network.
 */
import type { MsgHdrs } from '@nats-io/transport-node';
import { GRANT_HEADER, PERSON_HEADER, SIGNATURE_HEADER } from '../../messages/command.ts';
import type { Asker, Grant } from '../../messages/grant.ts';
import { NoGrantError } from '../errors.ts';
import { readGrant } from './grant.ts';
import { type Verifier, verifierFrom } from './nkey.ts';
import { issuePersonGrant, type PersonClaims, readPersonGrant } from './person.ts';
import type { Revocations } from './revocations.ts';
import { bytesToSign, type Opened } from './signed-text.ts';
import type { Trust } from './trust.ts';

/** Grants that were found good are known by their text; beyond this many the oldest is read again. */
const MAX_KNOWN_GRANTS = 1_024;
/** So many questions are known again. What is older is left to the asker's quote of the agent's position. */
const MAX_HEARD = 4_096;

/** What is put beside the bytes. */
export interface SignatureHeaders {
  readonly [SIGNATURE_HEADER]: string;
  readonly [GRANT_HEADER]: string;
  readonly [PERSON_HEADER]?: string;
}

/** What came beside the bytes. */
interface Signed {
  readonly headers?: MsgHdrs | undefined;
  readonly data: Uint8Array;
}

/** A question, once its headers were checked. */
export type CheckedRequest =
  /** The answer is bound to the signature. */
  | { readonly kind: 'proven'; readonly asker: Asker; readonly signature: string }
  /** Its asker, of `key`, may not ask, but may learn why: `signature` is proven. */
  | { readonly kind: 'refused'; readonly reason: string; readonly signature: string; readonly key: string }
  /** Nothing is proven, and no answer is signed. */
  | { readonly kind: 'forged'; readonly reason: string }
  /** Heard before. It gets no answer: a second one could be passed off as the first. */
  | { readonly kind: 'repeated'; readonly reason: string };

interface KnownGrant {
  readonly grant: Grant;
  readonly key: Verifier;
}

export class Signatures {
  readonly #environment: string;
  readonly #revocations: Revocations;
  #trust: Opened<Trust> = { ok: false, reason: 'the bus was not reached yet' };
  readonly #known = new Map<string, KnownGrant>();
  readonly #heard = new Set<string>();

  constructor(environment: string, revocations: Revocations) {
    this.#environment = environment;
    this.#revocations = revocations;
  }

  /** From now on. */
  use(trust: Opened<Trust>): void {
    this.#trust = trust;
    this.#known.clear();
  }

  /** `person`: for whom it asks, as `vouchFor` wrote it. @throws NoGrantError */
  signRequest(subject: string, payload: Uint8Array, person?: string): SignatureHeaders {
    const signed = this.#sign('ask', 'request', requestHead(subject, person), payload);
    return person === undefined ? signed : { ...signed, [PERSON_HEADER]: person };
  }

  /** A person's grant, signed by this identity. @throws NoGrantError; as `issuePersonGrant` */
  vouchFor(claims: PersonClaims): string {
    if (!this.#trust.ok) throw new NoGrantError('vouch for', claims.who, this.#trust.reason);
    return issuePersonGrant(claims, this.#environment, this.#trust.value.signer);
  }

  /** @throws NoGrantError */
  signMessage(subject: string, payload: Uint8Array): SignatureHeaders {
    return this.#sign('publish on', 'message', subject, payload);
  }

  /** `undefined` when there is nothing to sign with. */
  signReply(requestSignature: string, payload: Uint8Array): SignatureHeaders | undefined {
    return this.#trust.ok ? sign(this.#trust.value, bytesToSign('reply', requestSignature, payload)) : undefined;
  }

  /** Who asks? The same bytes count once. Never throws. */
  checkRequest(subject: string, message: Signed): CheckedRequest {
    const signature = readHeader(message, SIGNATURE_HEADER);
    const person = readHeader(message, PERSON_HEADER) || undefined;
    const signed = this.#signer(message, signature, bytesToSign('request', requestHead(subject, person), message.data));
    if (!signed.ok) return { kind: 'forged', reason: signed.reason };
    if (this.#heard.has(signature)) return { kind: 'repeated', reason: 'it was heard before' };
    remember(this.#heard, signature, MAX_HEARD);
    const { key } = signed.value;
    const revoked = this.#whyRevoked(signed.value);
    if (revoked !== undefined) return { kind: 'refused', reason: revoked, signature, key };
    const asker = person === undefined ? signed : this.#withPerson(signed.value, person);
    if (!asker.ok) return { kind: 'refused', reason: asker.reason, signature, key };
    return { kind: 'proven', asker: asker.value, signature };
  }

  #withPerson(grant: Grant, text: string): Opened<Asker> {
    const read = readPersonGrant(text, grant, verifierFrom(grant.key));
    if (!read.ok) return { ok: false, reason: `the person's grant does not count: ${read.reason}` };
    return { ok: true, value: { ...grant, person: read.value } };
  }

  /** Who answers the question that bore this signature? Never throws. */
  checkReply(requestSignature: string, message: Signed): Opened<Grant> {
    const signature = readHeader(message, SIGNATURE_HEADER);
    return this.#ifNotRevoked(this.#signer(message, signature, bytesToSign('reply', requestSignature, message.data)));
  }

  /** Who has published this? It may have been heard before. Never throws. */
  checkMessage(subject: string, message: Signed): Opened<Grant> {
    const signature = readHeader(message, SIGNATURE_HEADER);
    return this.#ifNotRevoked(this.#signer(message, signature, bytesToSign('message', subject, message.data)));
  }

  #sign(
    verb: 'ask' | 'publish on',
    purpose: 'request' | 'message',
    subject: string,
    payload: Uint8Array,
  ): SignatureHeaders {
    if (!this.#trust.ok) throw new NoGrantError(verb, subject, this.#trust.reason);
    return sign(this.#trust.value, bytesToSign(purpose, subject, payload));
  }

  #ifNotRevoked(signed: Opened<Grant>): Opened<Grant> {
    const revoked = signed.ok ? this.#whyRevoked(signed.value) : undefined;
    return revoked === undefined ? signed : { ok: false, reason: revoked };
  }

  /** Whose key has signed these bytes, whether or not it still counts. */
  #signer(message: Signed, signature: string, bytes: Uint8Array): Opened<Grant> {
    const grantText = readHeader(message, GRANT_HEADER);
    if (signature === '' || grantText === '') {
      return { ok: false, reason: `it is not signed: ${SIGNATURE_HEADER} and ${GRANT_HEADER} are needed` };
    }
    const known = this.#grant(grantText);
    if (!known.ok) return known;
    const { grant, key } = known.value;
    if (key.verifies(bytes, signature)) return { ok: true, value: grant };
    return { ok: false, reason: `it is not what ${grant.role}/${grant.id} has signed` };
  }

  #whyRevoked({ key, role, id }: Grant): string | undefined {
    if (!this.#revocations.isRevoked(key)) return undefined;
    return `the key of ${role}/${id} was revoked: have new credentials made`;
  }

  #grant(text: string): Opened<KnownGrant> {
    const before = this.#known.get(text);
    if (before !== undefined) return { ok: true, value: before };
    if (!this.#trust.ok) return { ok: false, reason: `nobody is believed here: ${this.#trust.reason}` };
    const opened = readGrant(text, this.#environment, this.#trust.value.roots);
    if (!opened.ok) return { ok: false, reason: `its grant does not count: ${opened.reason}` };
    try {
      const known = { grant: opened.value, key: verifierFrom(opened.value.key) };
      if (this.#known.size >= MAX_KNOWN_GRANTS) this.#known.delete(this.#known.keys().next().value ?? '');
      this.#known.set(text, known);
      return { ok: true, value: known };
    } catch (error) {
      return { ok: false, reason: `its grant does not count: ${(error as Error).message}` };
    }
  }
}

/** What is signed of a question beside its bytes. A subject holds no space, so that nobody can be put in or taken away. */
function requestHead(subject: string, person: string | undefined): string {
  return person === undefined ? subject : `${subject} ${person}`;
}

function sign({ signer, grantText }: Trust, bytes: Uint8Array): SignatureHeaders {
  return { [SIGNATURE_HEADER]: signer.sign(bytes), [GRANT_HEADER]: grantText };
}

/** Empty when there is none, or when the headers are not readable. */
function readHeader({ headers }: Signed, name: string): string {
  return headers?.get(name) ?? '';
}

function remember(seen: Set<string>, value: string, max: number): void {
  if (seen.size >= max) seen.delete(seen.values().next().value ?? '');
  seen.add(value);
}
