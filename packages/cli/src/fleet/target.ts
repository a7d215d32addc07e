import { type InstanceRef, isId } from '@muster/contracts';
import { CliError } from '../exit-codes.ts';

/** What a person wrote: `service`, `host/service` or `host/service.instance`. */
export interface Target {
  readonly host?: string;
  readonly service: string;
  readonly instance?: number;
}

/** One service on one host; without `instance` all of its instances are meant. */
export interface ResolvedTarget extends Target {
  readonly host: string;
}

/** @throws CliError (usage) when `text` is not written as a target. */
export function parseTarget(text: string): Target {
  const [, host, service = '', instance] = /^(?:([^/]*)\/)?([^/.]*)(?:\.([^/.]*))?$/.exec(text) ?? [];
  const isInstance = instance === undefined || /^(0|[1-9][0-9]{0,3})$/.test(instance);
  if ((host !== undefined && !isId(host)) || !isId(service) || !isInstance) {
    throw new CliError('usage', `'${text}' is not a service: write service, host/service or host/service.0`);
  }
  return {
    ...(host !== undefined && { host }),
    service,
    ...(instance !== undefined && { instance: Number(instance) }),
  };
}

/** `web1/rag-api`, or `web1/rag-api.1` when one instance is meant. */
export function formatTarget({ host, service, instance }: Target): string {
  return `${host === undefined ? '' : `${host}/`}${service}${instance === undefined ? '' : `.${instance}`}`;
}

/**
 * Finds the one service that is meant among `known`.
 * @throws CliError (notFound) naming what is near, or (usage) naming the candidates when several hosts have one.
 */
export function resolveTarget(target: Target, known: readonly InstanceRef[]): ResolvedTarget {
  const matches = known.filter((ref) => isMatch(target, ref));
  const hosts = [...new Set(matches.map(({ host }) => host))].sort();
  const [host] = hosts;
  if (host === undefined) throw new CliError('notFound', explainMissing(target, known));
  if (hosts.length > 1) {
    const candidates = hosts.map((candidate) => formatTarget({ ...target, host: candidate }));
    throw new CliError(
      'usage',
      `'${formatTarget(target)}' runs on ${hosts.length} hosts: say which one: ${listed(candidates)}`,
    );
  }
  return { ...target, host };
}

/** What matches a target that may stand for several services: all there is when it is undefined. */
export function isMatch(target: Target | undefined, { host, service, instance }: InstanceRef): boolean {
  return (
    target === undefined ||
    (service === target.service &&
      (target.host === undefined || host === target.host) &&
      (target.instance === undefined || instance === target.instance))
  );
}

export function explainMissing(target: Target, known: readonly InstanceRef[]): string {
  const what = `no service '${formatTarget(target)}' is known`;
  const sameService = known.filter(({ service }) => service === target.service);
  const candidates = sameService.length > 0 ? sameService : known;
  if (candidates.length === 0) return `${what}: no agent has told the bus about any service yet`;
  const names = [...new Set(candidates.map((ref) => formatTarget({ host: ref.host, service: ref.service })))].sort();
  const instances = sameService.filter(({ host }) => target.host === undefined || host === target.host);
  if (target.instance !== undefined && instances.length > 0) {
    return `${what}: its instances are ${listed(instances.map((ref) => formatTarget(ref)).sort())}`;
  }
  return `${what}: known are ${listed(names)}`;
}

const LISTED_AT_MOST = 10;

function listed(names: readonly string[]): string {
  const rest = names.length - LISTED_AT_MOST;
  return names.slice(0, LISTED_AT_MOST).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
