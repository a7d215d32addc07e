/*
 * Keeps the bus within its bounds while it runs.
 *
 * Each look asks the servers what every connection has brought, and what every stream and bucket holds. Streams that are gone or
 * were changed are made again. Who floods is cut off, where the keys are that can do it, and what it has invented is
 * purged. All of it is told, here and on the bus.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type ComponentEvent, parseIdentity, type RetentionChanges } from '@muster/contracts';
import {
  ConnectionLoads,
  type KnownServices,
  knownServices,
  purgeInvented,
  purgeMonitor,
  StoredLoads,
  type StoreLook,
  setUpObservers,
  setupBus,
} from '@muster/contracts/admin';
import type { NatsBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import type { Identity } from '@muster/contracts/keys';
import { observersIn } from '../bus/identities.ts';
import { markStore } from '../bus/store-age.ts';
import type { Settings } from '../config.ts';
import { Attempts, COMPLAIN_EVERY_MS } from './attempts.ts';
import { FLOOD_LIMITS, type FloodLimits } from './flood-limits.ts';
import { type Flooder, FloodWatch } from './flood-watch.ts';
import { GuardEvents } from './guard-events.ts';
import { canRevoke, cutOff, howToCutOff, isOwn, purgedText } from './stop-flood.ts';

/** A flood needs ten to fill what is kept free for it. */
const LOOK_EVERY_MS = 1_000;
const LOOK_CLOSER_EVERY_MS = 250;
const MIN_REST_RATIO = 4;
/** What is there then counts as known: nobody floods. */
const LEARN_EVERY_MS = 300_000;
/** Whose program is given a new key here, and floods again so soon, is no thief: it would only go round in circles. */
const AGAIN_AFTER_MS = 600_000;

export interface GuardOptions {
  readonly settings: Settings;
  /** What the streams are to keep, as it is configured by now. */
  readonly readRetention: () => Promise<RetentionChanges>;
  readonly bus: NatsBus;
  readonly say: (line: string) => void;
  readonly limits?: FloodLimits;
}

export class Guard implements AsyncDisposable {
  readonly #options: GuardOptions;
  readonly #watch: FloodWatch;
  readonly #stored: StoredLoads;
  readonly #connections: ConnectionLoads | undefined;
  readonly #mayRevoke: boolean;
  readonly #stoppedAtMs = new Map<string, number>();
  readonly #stopping = new Set<string>();
  readonly #attempts: Attempts;
  readonly #events: GuardEvents;
  readonly #toldAtMs = new Map<string, number>();
  #retention: RetentionChanges;
  #unreadableAtMs = Number.NEGATIVE_INFINITY;
  /** Two at once would each write the account and the list of the other's. */
  #lastStop: Promise<void> = Promise.resolve();
  #stopped = 0;
  #known: KnownServices = new Map();
  #learnedAtMs = Number.NEGATIVE_INFINITY;
  #replicas = 1;

  static async start(options: GuardOptions): Promise<Guard> {
    const { settings, say } = options;
    const mayRevoke = canRevoke(settings);
    if (!mayRevoke) {
      say(
        `there are no keys of the bus in '${settings.keysDir}': who floods is told, and what it invents purged, but nobody is cut off`,
      );
    }
    return new Guard(options, mayRevoke, await options.readRetention());
  }

  private constructor(options: GuardOptions, mayRevoke: boolean, retention: RetentionChanges) {
    const { bus, limits = FLOOD_LIMITS, settings } = options;
    this.#retention = retention;
    this.#options = options;
    this.#mayRevoke = mayRevoke;
    this.#attempts = new Attempts(options.say);
    this.#events = new GuardEvents(bus);
    this.#watch = new FloodWatch(bus.environment, limits, mayRevoke);
    this.#stored = new StoredLoads(bus);
    this.#connections = mayRevoke ? connectionLoads(settings, bus) : undefined;
  }

  /** Until it is aborted. Never throws for what the bus does. */
  async run(signal: AbortSignal): Promise<void> {
    // Under a flood the streams answer late, and who is connected says most: neither waits for the other.
    await Promise.all([
      this.#repeat(() => this.#lookAtConnections(), signal),
      this.#repeat(() => this.#lookAtStore(), signal),
    ]);
  }

  async look(): Promise<void> {
    await Promise.all([this.#lookAtConnections(), this.#lookAtStore()]);
  }

  async #repeat(look: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAtMs = performance.now();
      await look();
      const endedAtMs = performance.now();
      const pauseMs = this.#watch.isCalm(endedAtMs) ? LOOK_EVERY_MS : LOOK_CLOSER_EVERY_MS;
      // In a large fleet a look is work, for the servers too.
      const restMs = Math.max(pauseMs, MIN_REST_RATIO * (endedAtMs - startedAtMs));
      await delay(restMs, undefined, { signal }).catch(() => {});
    }
  }

  async #lookAtConnections(): Promise<void> {
    if (this.#connections === undefined) return;
    const loads = await this.#attempts.try(
      'ask who is connected',
      () => this.#connections?.read() ?? Promise.resolve([]),
    );
    await this.#stopAll(this.#watch.chargeConnections(loads ?? [], performance.now()));
  }

  async #lookAtStore(): Promise<void> {
    const stopped = this.#stopped;
    const seen = await this.#attempts.try('look at the streams', () => this.#lookWithRetention());
    if (seen === undefined) return;
    // What is purged here is not to be told as somebody else's deed.
    const isOurDeed = this.#stopping.size > 0 || stopped !== this.#stopped;
    const store = isOurDeed ? { ...seen, emptied: [] } : seen;
    await this.#attempts.try('make the streams again', () => this.#mend(store));
    const nowMs = performance.now();
    const flooders = this.#watch.chargeStore(store.writes, nowMs);
    await this.#stopAll(flooders);
    if (flooders.length > 0 || this.#stopping.size > 0 || !this.#watch.isCalm(nowMs)) return;
    await this.#attempts.try('trim the streams', () => this.#trim(store));
    if (nowMs - this.#learnedAtMs >= LEARN_EVERY_MS)
      await this.#attempts.try('learn who is there', () => this.#learn(nowMs));
  }

  /** Who runs the set-up with another retention has written that down first: then it is no change that is to be undone. */
  async #lookWithRetention(): Promise<StoreLook> {
    const seen = await this.#stored.look(this.#retention);
    if (seen.missing.length + seen.different.length === 0) return seen;
    const retention = await this.#readRetention();
    // What cannot be read may say that all is as it must be.
    if (retention === undefined) return { ...seen, different: [] };
    this.#retention = retention;
    return { ...seen, different: this.#stored.differences(retention) };
  }

  async #readRetention(): Promise<RetentionChanges | undefined> {
    const nowMs = performance.now();
    if (nowMs - this.#unreadableAtMs < COMPLAIN_EVERY_MS) return undefined;
    const what = 'tell what the streams are to keep';
    const read = await this.#attempts.try(what, this.#options.readRetention);
    this.#unreadableAtMs = read === undefined ? nowMs : Number.NEGATIVE_INFINITY;
    return read;
  }

  /** One after the other, whichever look found them. Both may find the same one. */
  #stopAll(flooders: readonly Flooder[]): Promise<void> {
    const found = flooders.filter(({ identity }) => !this.#stopping.has(identity));
    for (const { identity } of found) this.#stopping.add(identity);
    this.#lastStop = this.#lastStop
      .catch(() => {})
      .then(async () => {
        for (const flooder of found) {
          await this.#stop(flooder);
          this.#stopping.delete(flooder.identity);
          this.#stopped += 1;
        }
      });
    return this.#lastStop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections?.[Symbol.asyncDispose]();
  }

  async #mend({ missing, different, emptied, replicas }: StoreLook): Promise<void> {
    this.#replicas = Math.max(this.#replicas, replicas);
    if (missing.length + different.length > 0) await this.#remake(missing, different);
    for (const stream of emptied) {
      await this.#tell('stream-emptied', `somebody has emptied ${stream}: what it held is lost`);
    }
  }

  async #remake(missing: readonly string[], different: readonly string[]): Promise<void> {
    const { bus, settings } = this.#options;
    await setupBus(bus, { retention: this.#retention, ...(this.#replicas > 1 && { replicas: this.#replicas }) });
    // A store that lost its mark has gone back: whoever wrote there sends again what it still has.
    for (const line of await markStore(bus, settings, false)) this.#options.say(line);
    // What reads a stream goes with it.
    await setUpObservers(bus, await observersIn(settings));
    const what = [
      ...missing.map((stream) => `${stream} was gone, with all that it held`),
      ...different.map((stream) => `${stream} was changed`),
    ];
    await this.#tell('streams-remade', `${what.join('; ')}: made again as they must be`);
  }

  async #trim({ overfull }: StoreLook): Promise<void> {
    for (const one of overfull) await this.#stored.trim(one);
  }

  async #learn(nowMs: number): Promise<void> {
    const { bus, settings } = this.#options;
    this.#known = await knownServices(bus);
    this.#learnedAtMs = nowMs;
    const made = await setUpObservers(bus, await observersIn(settings));
    if (made.length === 0) return;
    await this.#tell('streams-remade', `what observers hear alerts by was gone, and is made again: ${made.join(', ')}`);
  }

  async #stop({ identity: name, key, why, isProven }: Flooder): Promise<void> {
    const identity = parseIdentity(name, '/');
    if (identity === undefined) return;
    const cut = isProven
      ? await this.#attempts.try(`cut off ${name}`, () => this.#cutOff(identity, key))
      : this.#unproven(identity);
    const purged = await this.#attempts.try(`purge what ${name} has invented`, () => this.#purge(identity));
    this.#stored.forget();
    // Else the next look tries again.
    if (cut === undefined) return;
    this.#watch.forget(name);
    const nowMs = performance.now();
    if (nowMs - (this.#toldAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < COMPLAIN_EVERY_MS) return;
    this.#toldAtMs.set(name, nowMs);
    const host = identity.role === 'agent' ? identity.id : undefined;
    const done = [cut, purged].filter((text) => text !== undefined).join('; ');
    await this.#tell('flood-stopped', `${name} floods the bus: ${why}${done === '' ? '' : `: ${done}`}`, host);
  }

  async #cutOff(identity: Identity, key: string | undefined): Promise<string> {
    const name = `${identity.role}/${identity.id}`;
    const nowMs = performance.now();
    if (identity.role === 'admin') return 'an admin is not cut off here: replace its key (muster bus rotate)';
    if (!this.#mayRevoke) return `the keys to cut it off are not here: ${howToCutOff(identity)} where they are`;
    const isAgain =
      isOwn(identity, this.#options.settings) &&
      nowMs - (this.#stoppedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < AGAIN_AFTER_MS;
    if (isAgain) return 'it was cut off a short while ago, and is not again: see what its program does';
    const { text, advice } = await cutOff(identity, key, {
      ...this.#options,
      retention: (await this.#readRetention()) ?? this.#retention,
    });
    this.#stoppedAtMs.set(name, nowMs);
    for (const line of advice) this.#options.say(line);
    return text;
  }

  /** Behind a site's server its connections are not seen; or somebody has others' words stored in its name. */
  #unproven(identity: Identity): string {
    if (!this.#mayRevoke) return `the keys to cut it off are not here: ${howToCutOff(identity)} where they are`;
    return `its own connections have not brought that, so it is not cut off: if it is behind a site's server, ${howToCutOff(identity)}`;
  }

  /** `undefined` for whoever could take it all away himself. */
  async #purge({ role, id }: Identity): Promise<string | undefined> {
    const { bus } = this.#options;
    if (role !== 'agent' && role !== 'monitor') return undefined;
    const known = this.#known.get(id) ?? new Set<string>();
    const purged =
      role === 'monitor'
        ? await purgeMonitor(bus, id)
        : await purgeInvented(bus, id, known, (stream) => this.#stored.isTooFull(stream));
    return purged.length === 0 ? 'there is nothing to purge' : `purged ${purged.map(purgedText).join(', ')}`;
  }

  async #tell(kind: ComponentEvent['kind'], reason: string, host?: string): Promise<void> {
    this.#options.say(reason);
    await this.#attempts.try('tell it on the bus', () => this.#events.publish(kind, reason, host));
  }
}

function connectionLoads(settings: Settings, { role, id }: NatsBus): ConnectionLoads {
  const { keysDir, servers, tls } = settings;
  return new ConnectionLoads({
    directory: keysDir,
    servers,
    credentialsFile: credentialsFile(keysDir, { role, id }),
    ...(tls !== undefined && { tls }),
  });
}
