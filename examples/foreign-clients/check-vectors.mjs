/*
 * Checks every test vector, the refused ones included:  node examples/foreign-clients/check-vectors.mjs
 */
import { readFileSync } from 'node:fs';
import { bytesToSign, readCredentials, signerOf, Verifier } from './muster.mjs';

const file = new URL('../../docs/schemas/signature-vectors.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8'));
const { environment, keys } = vectors;
const root = keys.find(({ name }) => name === 'root').publicKey;
const seedOf = (name) => keys.find((key) => key.name === name).seed;
const STOP = { roles: ['dashboard', 'operator', 'admin'], people: 'operator' };

function check(what, isRight) {
  if (!isRight) throw new Error(`vector '${what}' is not as it must be`);
  console.log(`ok  ${what}`);
}

// What is signed, from nothing but the vector's own parts: the same bytes, and with the seed the same signature.
const { question, answer, verdict, personsQuestion, revocations, grants } = vectors;
for (const [what, vector, purpose, head] of [
  ['question', question, 'request', question.subject],
  ['answer', answer, 'reply', question.headers['Muster-Signature']],
  ['verdict', verdict, 'message', verdict.subject],
  [
    'personsQuestion',
    personsQuestion,
    'request',
    `${personsQuestion.subject} ${personsQuestion.headers['Muster-Person']}`,
  ],
]) {
  const bytes = bytesToSign(purpose, head, vector.body);
  check(`${what}: bytes`, bytes.toString('base64') === vector.signedBytes);
  check(`${what}: signature`, signerOf(seedOf(vector.by))(bytes) === vector.headers['Muster-Signature']);
}
for (const [what, { text, signedBytes }, purpose, by] of [
  ...grants.map((grant) => [`grant of ${grant.name}`, grant, 'grant', 'root']),
  ['grant of a person', personsQuestion.person, 'person', 'dashboard/d1'],
  ['revocations', revocations, 'revocations', 'root'],
]) {
  const [payload, signature] = text.split('.');
  check(`${what}: bytes`, bytesToSign(purpose, payload).toString('base64') === signedBytes);
  check(`${what}: signature`, signerOf(seedOf(by))(bytesToSign(purpose, payload)) === signature);
}

const credentials = readCredentials(vectors.credentialsFile);
check(
  'credentials',
  credentials.seed === seedOf('operator/ada') && credentials.roots[0] === root && credentials.own.id === 'ada',
);

const take = {
  question: (verifier, one) => verifier.question(one, STOP, Date.parse(one.at ?? '2026-03-01T12:00:00Z')),
  answer: (verifier, one) => verifier.answer(one, question.headers['Muster-Signature'], { role: 'agent', id: 'web1' }),
  verdict: (verifier, one) => verifier.verdict(one),
  revocations: (verifier, one) => verifier.revocations(one.text),
};
for (const [of, one] of [
  ['question', question],
  ['question', personsQuestion],
  ['answer', answer],
  ['verdict', verdict],
  ['revocations', revocations],
]) {
  take[of](new Verifier(environment, [root]), one);
  check(`${of} is taken`, true);
}
for (const one of vectors.refused) {
  const verifier = new Verifier(environment, [root]);
  for (const before of one.given ?? []) {
    if (typeof before === 'string') take[before](verifier, vectors[before]);
    else take[one.of](verifier, { subject: one.subject, ...before });
  }
  let reason;
  try {
    take[one.of](verifier, one);
  } catch (error) {
    reason = error.message;
  }
  check(`${one.of} is refused: ${one.why} (${reason})`, reason !== undefined);
}
