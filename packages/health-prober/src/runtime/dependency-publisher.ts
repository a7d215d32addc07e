/**
 * Tells agents how the services of other hosts stand that theirs wait for: when that changes, after an agent's start, and
 * again and again, for a word counts for a while only.
 */
import { DEPENDENCY_LEASE_MS } from '@muster/contracts';
import type { FleetClient } from '@muster/contracts/client';
import { judgeDependency, type RemoteDependency, remoteDependenciesOf } from '../core/remote-dependency.ts';
import { monotonicMs } from './clock.ts';

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
  readonly #fleet: FleetClient;
  readonly #told = new Map<string, Told>();
  readonly #reading = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(fleet: FleetClient) {
    this.#fleet = fleet;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const wanted = remoteDependenciesOf(this.#fleet.specs.values());
    for (const key of this.#told.keys()) if (!wanted.has(key)) this.#told.delete(key);
    for (const [key, dependency] of wanted) if (!this.#reading.has(key)) void this.#tellIfDue(key, dependency);
  }

  /** Never rejects. */
  async #tellIfDue(key: string, dependency: RemoteDependency): Promise<void> {
    const { host, target, condition } = dependency;
    const { isAlive, heartbeat } = this.#fleet.host(host);
    const verdict = this.#judge(dependency);
    if (!isAlive || heartbeat === undefined || verdict === undefined) return;
    const { epoch } = heartbeat;
    const { isMet, reason } = verdict;
    const text = `${isMet} ${reason}`;
    const told = this.#told.get(key);
    if (told?.text === text && told.epoch === epoch && monotonicMs() < told.dueMs) return;
    this.#reading.add(key);
    const result = await this.#fleet.command(host, 'dependency', { target, condition, met: isMet, reason });
    this.#reading.delete(key);
    const isTaken = result.outcome === 'accepted' || result.outcome === 'refused';
    this.#told.set(key, { text, epoch, dueMs: monotonicMs() + (isTaken ? RENEW_MS : RETRY_MS) });
  }

  /** `undefined` while it is not known whether the target's host is heard. */
  #judge(dependency: RemoteDependency) {
    const [host = '', service = ''] = dependency.target.split('/');
    const { state, silentForMs } = this.#fleet.host(host);
    if (state !== 'heard' && state !== 'silent') return undefined;
    const instances = [...this.#fleet.statusesOn(host)].filter((status) => status.service === service);
    const isJob = this.#fleet.specOf({ host, service })?.job ?? false;
    return judgeDependency(dependency, instances, isJob, silentForMs);
  }
}
