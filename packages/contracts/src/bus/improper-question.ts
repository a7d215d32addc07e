/*
 * Questions as nobody may ask them, to see what an agent makes of them: for who checks an agent. They ask for its status, so
 * that nothing happens where one is obeyed.
 */
import { nuid } from '@nats-io/transport-node';
import { answerPrefix } from '../answers.ts';
import { GRANT_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';
import { inboxPrefix } from '../permissions.ts';
import type { Role } from '../roles.ts';
import { commands } from '../rows.ts';
import { buildSubject } from '../subject.ts';
import { BusAwayError } from './errors.ts';
import type { Link } from './gate.ts';
import { withHeaders } from './inbox.ts';
import type { Signatures } from './trust/signatures.ts';
import { uuidv7 } from './uuid.ts';

/**
 * `unsigned`: without the headers. `altered`: other bytes than were signed. `elsewhere`: its answer is wanted outside the
 * space of answers. `repeated`: the same bytes twice.
 */
export const FAULTS = ['unsigned', 'altered', 'elsewhere', 'repeated'] as const;
export type Fault = (typeof FAULTS)[number];

export interface ImproperAnswer {
  /** Did it tell what was asked? */
  readonly isAccepted: boolean;
  readonly isSigned: boolean;
}

interface Asker {
  readonly environment: string;
  readonly role: Role;
  readonly id: string;
  readonly connection: Link;
  readonly signatures: Signatures;
}

/** All that is answered within `waitMs`. @throws BusAwayError, NoGrantError */
export async function askImproperly(
  { environment, role, id, connection, signatures }: Asker,
  host: string,
  fault: Fault,
  waitMs: number,
): Promise<readonly ImproperAnswer[]> {
  const subject = buildSubject(environment, commands.status.template, { host });
  const { client } = connection;
  if (client === undefined) throw new BusAwayError(subject, false);
  const body = statusRequest(`${role}/${id}`);
  const headers = fault === 'unsigned' ? {} : { ...signatures.signRequest(subject, body) };
  const place = fault === 'elsewhere' ? inboxPrefix(role, id) : answerPrefix(environment, { answerer: host, role, id });
  const reply = `${place}.${nuid.next()}.1`;
  const answers: ImproperAnswer[] = [];
  const listening = connection.subscribe(reply, (message) => {
    // The server's word that nobody hears the question.
    if (message.data.length === 0) return;
    const isSigned = [SIGNATURE_HEADER, GRANT_HEADER].every((name) => message.headers?.has(name) ?? false);
    answers.push({ isAccepted: isAccepted(message.data), isSigned });
  });
  try {
    const payload = fault === 'altered' ? statusRequest(`${role}/${id}`) : body;
    for (let times = fault === 'repeated' ? 2 : 1; times > 0; times--) {
      client.publish(subject, payload, { reply, ...withHeaders(headers) });
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return answers;
  } finally {
    listening.stop();
  }
}

function statusRequest(source: string): Uint8Array {
  return Buffer.from(JSON.stringify({ id: uuidv7(), time: new Date().toISOString(), source, actor: source }));
}

/** What cannot be read tells nothing. */
function isAccepted(data: Uint8Array): boolean {
  try {
    const answer: unknown = JSON.parse(Buffer.from(data).toString());
    return typeof answer === 'object' && answer !== null && 'accepted' in answer && answer.accepted === true;
  } catch {
    return false;
  }
}
