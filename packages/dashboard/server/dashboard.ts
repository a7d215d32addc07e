import type { FastifyInstance } from 'fastify';
import { type App, buildApp } from './app.ts';
import type { AppDependencies } from './dependencies.ts';
import { LiveFleet } from './view/live-fleet.ts';
import { FRAME_INTERVAL_MS, Hub } from './ws/hub.ts';

export interface DashboardOptions extends Omit<AppDependencies, 'fleet' | 'hub'> {
  readonly environment: string;
  readonly id: string;
  /** Names this run to the pages. */
  readonly epoch: number;
}

/** A fleet so large that a frame takes long gets fewer of them: requests and heartbeats must not wait for the page. */
const IDLE_PER_BUSY = 5;

/** A running dashboard: follows its source, feeds its viewers, answers requests. Disposing ends all of it. */
export class Dashboard implements AsyncDisposable {
  readonly fleet: LiveFleet;
  readonly hub: Hub;
  readonly app: FastifyInstance;
  readonly #servers: App['servers'];
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  static async start(options: DashboardOptions): Promise<Dashboard> {
    const { source, environment, id, epoch, now } = options;
    const fleet = new LiveFleet({ environment, dashboard: id }, now);
    source.follow((fact) => fleet.learn(fact));
    const hub = new Hub(epoch, fleet.look().page);
    const { app, servers } = await buildApp({ ...options, fleet, hub });
    return new Dashboard(fleet, hub, { app, servers }, now);
  }

  private constructor(fleet: LiveFleet, hub: Hub, { app, servers }: App, now: () => number) {
    this.fleet = fleet;
    this.hub = hub;
    this.app = app;
    this.#servers = servers;
    this.#now = now;
    this.#schedule(now() + FRAME_INTERVAL_MS);
  }

  /** Returns the port. @throws Error with `code` EADDRINUSE, EACCES or EADDRNOTAVAIL */
  async listen(host: string, port: number): Promise<number> {
    // Fastify would make a second server for the name, and none of its connections would have a caller.
    await this.app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port });
    await this.#servers.takeTwin();
    if (!this.#servers.isLocalhostOurs)
      this.app.log.warn('localhost may be another program: only addresses are answered');
    const address = this.app.server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.app.close();
  }

  /** Timers may fire a fraction early, and a frame must not: the next one counts from the last, and never comes sooner. */
  #schedule(dueMs: number): void {
    const waitMs = Math.max(1, Math.ceil(dueMs - this.#now()));
    this.#timer = setTimeout(() => this.#tick(dueMs), waitMs);
  }

  #tick(dueMs: number): void {
    if (this.#now() < dueMs) {
      this.#schedule(dueMs);
      return;
    }
    const { page, nowMs } = this.fleet.look();
    this.hub.tick(page, nowMs);
    const tookMs = this.#now() - nowMs;
    this.#schedule(nowMs + Math.max(FRAME_INTERVAL_MS, tookMs * IDLE_PER_BUSY));
  }
}
