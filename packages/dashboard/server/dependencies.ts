import type { FastifyBaseLogger } from 'fastify';
import type { Caller, Owners } from './caller/caller.ts';
import type { ReadTables } from './caller/peers.ts';
import type { Audit, FleetSource } from './source/fleet-source.ts';
import type { LiveFleet } from './view/live-fleet.ts';
import type { Hub } from './ws/hub.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler. */
    caller: Caller;
  }
}

/** What the app and its routes are made of. */
export interface AppDependencies {
  readonly fleet: LiveFleet;
  readonly source: FleetSource;
  readonly hub: Hub;
  /** Monotonic milliseconds, the same clock as the fleet's. */
  readonly now: () => number;
  readonly version: string;
  /** The built page; without it only the API is served. */
  readonly webRoot?: string;
  readonly log?: FastifyBaseLogger;
  /** Called once for every command, whatever became of it. */
  readonly audit: Audit;
  readonly owners: Owners;
  /** What the kernel says of connections; default: this machine's. */
  readonly readTables?: ReadTables;
}
