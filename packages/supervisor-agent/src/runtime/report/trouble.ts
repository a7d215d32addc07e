import type { Logger } from 'pino';
import type { HostEvents } from './host-events.ts';

/** Says what goes wrong with the agent itself, and when it is over: as an event of its host and in its log. */
export class Trouble {
  readonly #events: Pick<HostEvents, 'announce'>;
  readonly #logger: Pick<Logger, 'warn'>;

  constructor(events: Pick<HostEvents, 'announce'>, logger: Pick<Logger, 'warn'>) {
    this.#events = events;
    this.#logger = logger;
  }

  /** `reason` is why it is so; `undefined`: it is over. */
  tell(what: string, reason: string | undefined): void {
    if (reason === undefined) this.#events.announce('recovered', `over: ${what}`);
    else this.#events.announce('problem', `${what}: ${reason}`);
    this.#logger.warn({ reason: reason ?? 'over' }, what);
  }
}
