/** Who speaks on the bus. One credential file per identity; `agent`, `prober` and `dashboard` are scoped to their id. */
export const ROLES = ['agent', 'prober', 'dashboard', 'operator', 'observer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The template parameter that a role may fill with its own id only. */
export const ROLE_SCOPE: Readonly<Partial<Record<Role, string>>> = {
  agent: 'host',
  prober: 'prober',
  dashboard: 'dashboard',
};
