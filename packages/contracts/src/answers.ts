/*
 * Where answers go. Whoever may publish on a subject that he also hears would be given, by NATS's `allow_responses`, one
 * publish to whatever reply subject he names there: a way to every subject. So nobody has that right. An answerer may
 * publish in a space of its own instead, one branch for each asker, and the asker hears its branch of every answerer's.
 */
import type { Role } from './roles.ts';
import { buildSubtree, withoutRoot } from './subject.ts';

const FAMILY = 'answer';
const QUESTION_FAMILY = 'command';

/** Whose answer goes to whom. */
export interface AnswerAddress {
  /** A host, or `_prober` for whichever of the probers answers. */
  readonly answerer: string;
  readonly role: Role;
  readonly id: string;
}

/** Who answers what is asked on this subject: its second token. `undefined` when it is no question of this environment. */
export function answererOf(env: string, question: string): string | undefined {
  const [family, answerer, ...rest] = withoutRoot(env, question).split('.');
  return family === QUESTION_FAMILY && rest.length > 0 ? answerer : undefined;
}

/** Everything that one asker may be answered by one answerer: the reply subjects of its questions are below it. */
export function answerPrefix(env: string, { answerer, role, id }: AnswerAddress): string {
  return buildSubtree(env, [FAMILY, answerer, role, id]).slice(0, -2);
}

/** All that may be answered to one asker. */
export function answersTo(env: string, role: Role, id: string): string {
  return buildSubtree(env, [FAMILY, '*', role, id]);
}

/** All that one answerer may answer. */
export function answersOf(env: string, answerer: string): string {
  return buildSubtree(env, [FAMILY, answerer]);
}

/** Whom an answer at `reply` reaches; `undefined` where whoever was asked on `question` may not answer. */
export function addresseeOf(
  env: string,
  question: string,
  reply = '',
): { readonly role: string; readonly id: string } | undefined {
  const [family, answerer, role = '', id = '', ...nonce] = withoutRoot(env, reply).split('.');
  if (family !== FAMILY || answerer !== answererOf(env, question) || nonce.length === 0) return undefined;
  return { role, id };
}
