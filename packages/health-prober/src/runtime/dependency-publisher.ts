/**
 * Tells agents how the services of other hosts stand that theirs wait for: when that changes, after an agent's start, and
 * again and again, for a word counts for a while only.
 */
import { DEPENDENCY_LEASE_MS, type InstanceStatus, keys } from '@muster/contracts';
import type { FleetCommands } from '@muster/contracts/client';
import { judgeDependency, type RemoteDependency, remoteDependenciesOf } from '../core/remote-dependency.ts';
import { monotonicMs } from './clock.ts';
import type { Fleet } from './fleet.ts';
import type { HostWatch } from './host-watch.ts';

export interface DependencyPublisherOptions {
  readonly commands: FleetCommands;
  readonly fleet: Fleet;
  readonly hosts: HostWatch;
}

const LOOK_EVERY_MS = 250;
/** Two words may be lost before the last one lapses. */
const RENEW_MS = DEPENDENCY_LEASE_MS / 3;
const RETRY_MS = 1_000;

/** The last word on one dependency that its agent took. */
interface Told {
  readonly text: string;
  /** Of the agent: the next start has forgotten it. */
  readonly epoch: number;
  readonly dueMs: number;
}

export class DependencyPublisher {
  readonly #options: DependencyPublisherOptions;
  readonly #told = new Map<string, Told>();
  readonly #reading = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DependencyPublisherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const wanted = remoteDependenciesOf(this.#options.fleet.specs.values());
    for (const key of this.#told.keys()) if (!wanted.has(key)) this.#told.delete(key);
    for (const [key, dependency] of wanted) if (!this.#reading.has(key)) void this.#tellIfDue(key, dependency);
  }

  /** Never rejects. */
  async #tellIfDue(key: string, dependency: RemoteDependency): Promise<void> {
    const { commands, hosts } = this.#options;
    const { host, target, condition } = dependency;
    const epoch = hosts.presenceOf(host)?.epoch;
    const verdict = this.#judge(dependency);
    if (hosts.silenceOf(host) !== 0 || epoch === undefined || verdict === undefined) return;
    const { isMet, reason } = verdict;
    const text = `${isMet} ${reason}`;
    const told = this.#told.get(key);
    if (told?.text === text && told.epoch === epoch && monotonicMs() < told.dueMs) return;
    this.#reading.add(key);
    const result = await commands.command(host, 'dependency', { target, condition, met: isMet, reason });
    this.#reading.delete(key);
    const isTaken = result.outcome === 'accepted' || result.outcome === 'refused';
    this.#told.set(key, { text, epoch, dueMs: monotonicMs() + (isTaken ? RENEW_MS : RETRY_MS) });
  }

  /** `undefined` while it is not known whether the target's host is heard. */
  #judge(dependency: RemoteDependency) {
    const { fleet, hosts } = this.#options;
    const [host = '', service = ''] = dependency.target.split('/');
    const silentMs = hosts.silenceOf(host);
    if (silentMs === undefined) return undefined;
    const prefix = keys.instance(host, service, 0).slice(0, -1);
    const instances = [...fleet.keysOn(host)]
      .filter((key) => key.startsWith(prefix))
      .map((key) => fleet.statuses.get(key))
      .filter((status): status is InstanceStatus => status !== undefined);
    return judgeDependency(dependency, instances, fleet.specOf({ host, service })?.job ?? false, silentMs);
  }
}
