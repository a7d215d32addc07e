import { isId } from './ids.ts';
import type { AgentVerb, ProberVerb } from './messages/command.ts';

/** Who speaks on the bus. One credential file per identity; those in `ROLE_SCOPE` are bound to their id. */
export const ROLES = ['agent', 'prober', 'dashboard', 'operator', 'observer', 'monitor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Reads `agent/web1` or, as files are named, `agent-web1`; `undefined`: that is no identity. */
export function parseIdentity(text: string, separator: '/' | '-'): { role: Role; id: string } | undefined {
  const at = text.indexOf(separator);
  const role = ROLES.find((known) => known === text.slice(0, at));
  const id = text.slice(at + 1);
  return role === undefined || !isId(id) ? undefined : { role, id };
}

/** The template parameter that a role may fill with its own id only. */
export const ROLE_SCOPE: Readonly<Partial<Record<Role, string>>> = {
  agent: 'host',
  prober: 'prober',
  dashboard: 'dashboard',
  monitor: 'monitor',
};

/** People and what speaks for them. */
const PEOPLE: readonly Role[] = ['dashboard', 'operator', 'admin'];
const PEOPLE_AND_PROBERS: readonly Role[] = [...PEOPLE, 'prober'];

/**
 * Who may ask an agent what. The server keeps others from asking, and the agent refuses them: a prober judges, and acts on
 * nothing.
 */
export const AGENT_VERB_ROLES: Readonly<Record<AgentVerb, readonly Role[]>> = {
  start: PEOPLE,
  stop: PEOPLE,
  restart: PEOPLE,
  scale: PEOPLE,
  reload: PEOPLE,
  plan: PEOPLE,
  apply: PEOPLE,
  status: PEOPLE_AND_PROBERS,
  why: PEOPLE_AND_PROBERS,
  series: PEOPLE_AND_PROBERS,
  outcome: PEOPLE_AND_PROBERS,
  logs: PEOPLE,
  watch: PEOPLE,
  adopt: PEOPLE,
  forget: PEOPLE,
  verdict: ['prober'],
  dependency: ['prober'],
  revocations: ['prober', 'operator', 'admin'],
  shutdown: PEOPLE,
  claim: ['agent'],
};

/** Who may ask the probers what. */
export const PROBER_VERB_ROLES: Readonly<Record<ProberVerb, readonly Role[]>> = {
  bus: ROLES,
  probe: PEOPLE,
  test: PEOPLE,
  acknowledge: PEOPLE,
  silence: PEOPLE,
  remove: ['operator', 'admin'],
  recover: ['agent'],
  alerts: ['observer', ...PEOPLE],
};

/** What people may do behind a dashboard, each role all that the one before it may. */
export const PERSON_ROLES = ['viewer', 'operator', 'admin'] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];

/** The least role for each question of agents; `undefined` where none is enough, since only programs ask it. */
export const AGENT_VERB_PEOPLE: Readonly<Record<AgentVerb, PersonRole | undefined>> = {
  start: 'operator',
  stop: 'operator',
  restart: 'operator',
  scale: 'operator',
  reload: 'admin',
  plan: 'admin',
  apply: 'admin',
  status: 'viewer',
  why: 'viewer',
  series: 'viewer',
  outcome: 'viewer',
  logs: 'viewer',
  watch: 'viewer',
  adopt: 'operator',
  forget: 'operator',
  verdict: undefined,
  dependency: undefined,
  revocations: undefined,
  shutdown: 'admin',
  claim: undefined,
};

/** As that, of the probers. */
export const PROBER_VERB_PEOPLE: Readonly<Record<ProberVerb, PersonRole | undefined>> = {
  bus: 'viewer',
  probe: 'operator',
  test: 'operator',
  acknowledge: 'operator',
  silence: 'operator',
  remove: 'admin',
  recover: undefined,
  alerts: 'viewer',
};

/** May who has this role do what at least `least` may? */
export function isPersonRoleEnough(role: PersonRole, least: PersonRole): boolean {
  return PERSON_ROLES.indexOf(role) >= PERSON_ROLES.indexOf(least);
}
