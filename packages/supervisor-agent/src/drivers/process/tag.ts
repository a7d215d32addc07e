import type { InstanceKey } from '../driver.ts';

/** In the environment of every process of a run: how a run is found when its records are lost. */
export const RUN_TAG = 'MUSTER_RUN';
/** The same value in the environment of a shim and its waiting starter, which are no copies of the service. */
export const SHIM_TAG = 'MUSTER_SHIM';

/** What a tag says: one generation of one instance of one agent. */
export interface RunTag extends InstanceKey {
  readonly generation: number;
}

export function formatTag({ agentId, service, instance, generation }: RunTag): string {
  return `${agentId}/${service}/${instance}/${generation}`;
}

/** `undefined` for what no agent could have written. */
export function parseTag(text: string): RunTag | undefined {
  const [agentId, service, instance, generation, ...rest] = text.split('/');
  if (!agentId || !service || rest.length > 0) return undefined;
  if (!isCount(instance) || !isCount(generation)) return undefined;
  return { agentId, service, instance: Number(instance), generation: Number(generation) };
}

/** The tag in the text of `/proc/<pid>/environ`. */
export function findTag(environ: string, variable: typeof RUN_TAG | typeof SHIM_TAG = RUN_TAG): RunTag | undefined {
  const prefix = `${variable}=`;
  const at = environ.startsWith(prefix) ? 0 : environ.indexOf(`\0${prefix}`) + 1;
  if (at === 0 && !environ.startsWith(prefix)) return undefined;
  const end = environ.indexOf('\0', at);
  return parseTag(environ.slice(at + prefix.length, end === -1 ? undefined : end));
}

export function isSameInstance(a: InstanceKey, b: InstanceKey): boolean {
  return a.agentId === b.agentId && a.service === b.service && a.instance === b.instance;
}

function isCount(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,15}$/.test(text);
}
