/*
 * Test vectors of all that is signed: with these keys, over these bytes, exactly these signatures. Whoever writes a client in
 * another language checks it against them before it meets a bus. The seeds are of nobody, and published. What must be refused
 * is in refused-vectors.ts.
 */
import { answerPrefix } from '../answers.ts';
import { formatCredentials } from '../bus/trust/credentials-file.ts';
import { type Signer, signerFrom } from '../bus/trust/nkey.ts';
import { signText } from '../bus/trust/signed-text.ts';
import { PERSON_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';
import { Grant, PersonGrant, RevocationList } from '../messages/grant.ts';
import { commands, rows } from '../rows.ts';
import { buildSubject } from '../subject.ts';
import { refusedVectors } from './refused-vectors.ts';
import { signed, signedText } from './sign-vector.ts';

const ENVIRONMENT = 'test';
const ISSUED_AT = '2026-03-01T12:00:00.000Z';
const INSTANCE = { host: 'web1', service: 'rag-api', instance: 0 } as const;

const SEEDS = {
  root: 'SOAGWF5SLOWBB7LKKPGJXHFOEGLDT5KQNUNKLN7WZOM7LVTUHUWH4KDQRU',
  'operator/ada': 'SUALTGFNW7HSGFPKEK2GHABMCY2S3VOLSZFKLSF55HRKYJMOLFI6DDGKAE',
  'agent/web1': 'SUAKQWVYQ4JJKEPPCMEMYKMBGJNQ5QDRQRQCL77WWN7NFN54X64XXVLNMI',
  'prober/p1': 'SUAKK7C5KKLVVMOJPLGFA5GSY2B367WA6SE6EWNSTEEQGIFTLGHEHDUN74',
  'dashboard/d1': 'SUAC2EJHMONVCSA735ZMAJPEBD7WYSWYEH5U3F4UG3ALVCAH3H6CCF5WTQ',
} as const;
export type Name = keyof typeof SEEDS;

/** Signed by an account of nobody: what stands in a credentials file for the server. */
const JWT = 'eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJhdWQiOiJOQVRTIiwibmFtZSI6Im9wZXJhdG9yL2FkYSJ9.AAAA';

export type ReadGoldenText = (file: string) => string;

/** The document `schemas/signature-vectors.json`, as plain values. */
export function signatureVectors(readGolden: ReadGoldenText): object {
  const signers = Object.fromEntries(Object.entries(SEEDS).map(([name, seed]) => [name, signerFrom(seed)])) as Readonly<
    Record<Name, Signer>
  >;
  const { root } = signers;
  const grants = {
    'operator/ada': grantOf(signers['operator/ada'], 'operator', 'ada', 'all'),
    'agent/web1': grantOf(signers['agent/web1'], 'agent', 'web1', ['web1']),
    'prober/p1': grantOf(signers['prober/p1'], 'prober', 'p1', 'all'),
    'dashboard/d1': { ...grantOf(signers['dashboard/d1'], 'dashboard', 'd1', 'all'), delegates: 'operator' as const },
  };
  const texts = Object.fromEntries(
    Object.entries(grants).map(([name, grant]) => [name, signText('grant', Grant.parse(grant), root)]),
  ) as Readonly<Record<keyof typeof grants, string>>;
  /** In one line, and by whom. */
  const compact = (file: string, source: Name): string =>
    JSON.stringify({ ...(JSON.parse(readGolden(file)) as object), source });

  const subject = buildSubject(ENVIRONMENT, commands.stop.template, { host: INSTANCE.host });
  const question = compact('commands/stop.request', 'operator/ada');
  const asked = signed(signers['operator/ada'], texts['operator/ada'], 'request', subject, question);
  const person = PersonGrant.parse({
    version: 1,
    environment: ENVIRONMENT,
    who: 'user/grace',
    role: 'operator',
    hosts: ['web1'],
    labels: { team: 'search' },
    issuedAt: ISSUED_AT,
    expiresAt: '2026-03-01T20:00:00.000Z',
  });
  const personText = signText('person', person, signers['dashboard/d1']);
  const personsQuestion = compact('commands/stop.request', 'dashboard/d1');
  const forPerson = signed(
    signers['dashboard/d1'],
    texts['dashboard/d1'],
    'request',
    `${subject} ${personText}`,
    personsQuestion,
  );
  const reply = `${answerPrefix(ENVIRONMENT, { answerer: 'web1', role: 'operator', id: 'ada' })}.run.1`;
  const answer = compact('commands/stop.reply', 'agent/web1');
  const questionSignature = asked.headers[SIGNATURE_HEADER] ?? '';
  const answered = signed(signers['agent/web1'], texts['agent/web1'], 'reply', questionSignature, answer);
  const verdictSubject = buildSubject(ENVIRONMENT, rows.health.template, INSTANCE);
  const verdict = compact('messages/health', 'prober/p1');
  const judged = signed(signers['prober/p1'], texts['prober/p1'], 'message', verdictSubject, verdict);
  const revocations = RevocationList.parse({
    version: 7,
    environment: ENVIRONMENT,
    issuedAt: ISSUED_AT,
    revoked: [
      { key: signers['operator/ada'].publicKey, identity: 'operator/ada', reason: 'left', revokedAt: ISSUED_AT },
    ],
  });
  return {
    environment: ENVIRONMENT,
    keys: Object.entries(SEEDS).map(([name, seed]) => ({ name, seed, publicKey: signers[name as Name].publicKey })),
    credentialsFile: formatCredentials({
      jwt: JWT,
      seed: SEEDS['operator/ada'],
      grant: texts['operator/ada'],
      roots: [root.publicKey],
    }),
    grants: Object.entries(texts).map(([name, text]) => ({
      name,
      grant: grants[name as keyof typeof grants],
      text,
      ...signedText('grant', text, root),
    })),
    question: {
      by: 'operator/ada',
      subject,
      reply,
      ...asked,
    },
    answer: {
      by: 'agent/web1',
      to: 'the question above',
      ...answered,
    },
    verdict: {
      by: 'prober/p1',
      subject: verdictSubject,
      ...judged,
    },
    personsQuestion: {
      by: 'dashboard/d1',
      subject,
      reply: `${answerPrefix(ENVIRONMENT, { answerer: 'web1', role: 'dashboard', id: 'd1' })}.run.1`,
      at: ISSUED_AT,
      person: { grant: person, text: personText, ...signedText('person', personText, signers['dashboard/d1']) },
      ...forPerson,
      headers: { ...forPerson.headers, [PERSON_HEADER]: personText },
    },
    revocations: {
      list: revocations,
      text: signText('revocations', revocations, root),
      ...signedText('revocations', signText('revocations', revocations, root), root),
    },
    refused: refusedVectors({
      signers,
      grants,
      subject,
      reply,
      question,
      asked,
      answer,
      answered,
      person,
      personsQuestion,
      forPerson,
      verdictSubject,
      verdict,
      judged,
      revocations,
    }),
  };
}

function grantOf(signer: Signer, role: Grant['role'], id: string, hosts: Grant['hosts']): Grant {
  return { version: 1, environment: ENVIRONMENT, key: signer.publicKey, role, id, hosts, issuedAt: ISSUED_AT };
}
