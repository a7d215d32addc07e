import type { AgentVerb, ProberVerb } from './messages/command.ts';

/** Who speaks on the bus. One credential file per identity; `agent`, `prober` and `dashboard` are scoped to their id. */
export const ROLES = ['agent', 'prober', 'dashboard', 'operator', 'observer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The template parameter that a role may fill with its own id only. */
export const ROLE_SCOPE: Readonly<Partial<Record<Role, string>>> = {
  agent: 'host',
  prober: 'prober',
  dashboard: 'dashboard',
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
};
