/*
 * What must be refused, each for one reason, and that reason alone. `given`: what was taken before. `at`: the verifier's clock.
 */
import { answerPrefix } from '../answers.ts';
import type { Signer } from '../bus/trust/nkey.ts';
import { signText } from '../bus/trust/signed-text.ts';
import { GRANT_HEADER, PERSON_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';
import { Grant, PersonGrant, RevocationList } from '../messages/grant.ts';
import { type SignedVector, signed } from './sign-vector.ts';

type Identity = 'operator/ada' | 'agent/web1' | 'prober/p1' | 'dashboard/d1';

/** All that is good, from which something is taken. */
export interface GoodVectors {
  readonly signers: Readonly<Record<Identity | 'root', Signer>>;
  readonly grants: Readonly<Record<Identity, Grant>>;
  readonly subject: string;
  readonly reply: string;
  readonly question: string;
  readonly asked: SignedVector;
  readonly answer: string;
  readonly answered: SignedVector;
  readonly person: PersonGrant;
  readonly personsQuestion: string;
  readonly forPerson: SignedVector;
  readonly verdictSubject: string;
  readonly verdict: string;
  readonly judged: SignedVector;
  readonly revocations: RevocationList;
}

export function refusedVectors(good: GoodVectors): readonly object[] {
  return [...refusedQuestions(good), ...refusedForPeople(good), ...refusedAnswers(good), ...refusedOthers(good)];
}

function refusedQuestions({ signers, grants, subject, reply, question, asked }: GoodVectors): readonly object[] {
  const base = { of: 'question', subject, reply };
  const ada = signers['operator/ada'];
  const as = (grant: Grant, signer = signers.root) =>
    signed(ada, grantText(grant, signer), 'request', subject, question);
  const signature = asked.headers[SIGNATURE_HEADER] ?? '';
  return [
    { why: 'another subject than was signed', ...base, ...asked, subject: subject.replace(/stop$/, 'start') },
    { why: 'another body than was signed', ...base, ...asked, body: question.replace('rag-api', 'search') },
    { why: 'no signature', ...base, body: question, headers: { [GRANT_HEADER]: asked.headers[GRANT_HEADER] } },
    {
      why: 'a signature that is written otherwise: with padding',
      ...base,
      ...asked,
      headers: { ...asked.headers, [SIGNATURE_HEADER]: `${signature}==` },
    },
    {
      why: 'signed as an answer',
      ...base,
      ...signed(ada, grantText(grants['operator/ada'], signers.root), 'reply', subject, question),
    },
    {
      why: "a grant that its bearer has signed itself, not the environment's root",
      ...base,
      ...as(grants['operator/ada'], ada),
    },
    {
      why: 'the grant of somebody else',
      ...base,
      ...asked,
      headers: { ...asked.headers, [GRANT_HEADER]: grantText(grants['dashboard/d1'], signers.root) },
    },
    {
      why: 'a grant for another environment',
      ...base,
      ...as({ ...grants['operator/ada'], environment: 'production' }),
    },
    { why: 'a grant for other hosts', ...base, ...as({ ...grants['operator/ada'], hosts: ['db1'] }) },
    {
      why: 'a role that may not ask this',
      ...base,
      reply: answerPrefix('test', { answerer: 'web1', role: 'prober', id: 'p1' }) + '.run.1',
      ...signed(
        signers['prober/p1'],
        grantText(grants['prober/p1'], signers.root),
        'request',
        subject,
        said(question, 'prober/p1'),
      ),
    },
    { why: 'a reply subject of another asker', ...base, ...asked, reply: reply.replace('.ada.', '.eve.') },
    { why: 'a reply subject of another answerer', ...base, ...asked, reply: reply.replace('.web1.', '.db1.') },
    {
      why: 'a body that names another sender than its signer',
      ...base,
      ...signed(
        ada,
        grantText(grants['operator/ada'], signers.root),
        'request',
        subject,
        said(question, 'operator/eve'),
      ),
    },
    { why: 'heard before', given: ['question'], ...base, ...asked },
    { why: 'its key is revoked', given: ['revocations'], ...base, ...asked },
  ];
}

function refusedForPeople({
  signers,
  grants,
  subject,
  personsQuestion: question,
  person,
  forPerson,
}: GoodVectors): readonly object[] {
  const base = {
    of: 'question',
    subject,
    reply: `${answerPrefix('test', { answerer: 'web1', role: 'dashboard', id: 'd1' })}.run.1`,
    at: person.issuedAt,
  };
  const dashboard = signers['dashboard/d1'];
  const as = (change: Partial<PersonGrant>, signer = dashboard) => {
    const text = signText('person', PersonGrant.parse({ ...person, ...change }), signer);
    const vector = signed(
      dashboard,
      grantText(grants['dashboard/d1'], signers.root),
      'request',
      `${subject} ${text}`,
      question,
    );
    return { ...base, ...vector, headers: { ...vector.headers, [PERSON_HEADER]: text } };
  };
  return [
    { why: 'the person taken away', ...base, ...forPerson },
    { why: 'a person whose grant has ended', ...as({}), at: person.expiresAt },
    { why: 'a person for whom somebody else vouches', ...as({}, signers['operator/ada']) },
    { why: 'a person with a role above what the dashboard may delegate', ...as({ role: 'admin' }) },
    { why: 'a person whose role is too little for this question', ...as({ role: 'viewer' }) },
    { why: 'a person of other hosts', ...as({ hosts: ['db1'] }) },
  ];
}

function refusedAnswers({ signers, grants, asked, answer, answered, forPerson }: GoodVectors): readonly object[] {
  const base = { of: 'answer' };
  const agent = signers['agent/web1'];
  const own = grantText(grants['agent/web1'], signers.root);
  const to = asked.headers[SIGNATURE_HEADER] ?? '';
  const byProber = signed(
    signers['prober/p1'],
    grantText(grants['prober/p1'], signers.root),
    'reply',
    to,
    said(answer, 'prober/p1'),
  );
  const ofDb1 = grantText({ ...grants['agent/web1'], id: 'db1', hosts: ['db1'] }, signers.root);
  return [
    { why: 'another body than was signed', ...base, ...answered, body: answer.replace('true', 'false') },
    {
      why: 'the answer to another question',
      ...base,
      ...signed(agent, own, 'reply', forPerson.headers[SIGNATURE_HEADER] ?? '', answer),
    },
    { why: 'signed as a question', ...base, ...signed(agent, own, 'request', to, answer) },
    { why: 'from a prober, and an agent was asked', ...base, ...byProber },
    { why: 'from the agent of another host', ...base, ...signed(agent, ofDb1, 'reply', to, said(answer, 'agent/db1')) },
    { why: 'no signature', ...base, body: answer, headers: {} },
  ];
}

function refusedOthers({
  signers,
  grants,
  verdictSubject: subject,
  verdict,
  judged,
  revocations,
}: GoodVectors): readonly object[] {
  const base = { of: 'verdict', subject };
  const own = grantText(grants['prober/p1'], signers.root);
  const later = JSON.stringify({ ...(JSON.parse(verdict) as object), id: 'later', seq: 43 });
  const byAgent = signed(
    signers['agent/web1'],
    grantText(grants['agent/web1'], signers.root),
    'message',
    subject,
    said(verdict, 'agent/web1'),
  );
  const list = signText('revocations', RevocationList.parse(revocations), signers['operator/ada']);
  const elsewhere = signText(
    'revocations',
    RevocationList.parse({ ...revocations, environment: 'production' }),
    signers.root,
  );
  return [
    {
      why: 'a body that names another sender than its signer',
      ...base,
      ...signed(signers['prober/p1'], own, 'message', subject, said(verdict, 'prober/p2')),
    },
    { why: 'another subject than was signed', ...base, ...judged, subject: subject.replace('.web1.', '.db1.') },
    { why: 'from a role that may not publish it', ...base, ...byAgent },
    {
      why: 'older than what was heard of the same sender there',
      given: [signed(signers['prober/p1'], own, 'message', subject, later)],
      ...base,
      ...judged,
    },
    { why: "not signed by the environment's root", of: 'revocations', text: list },
    { why: 'for another environment', of: 'revocations', text: elsewhere },
    {
      why: 'no later version than the one in force',
      of: 'revocations',
      given: ['revocations'],
      text: signText('revocations', revocations, signers.root),
    },
  ];
}

/** With the sender whose it is then: it is wrong in one way only. */
function said(body: string, source: string): string {
  return JSON.stringify({ ...(JSON.parse(body) as object), source });
}

/** Signed by whom it likes. */
function grantText(grant: Grant, signer: Signer): string {
  return signText('grant', Grant.parse(grant), signer);
}
