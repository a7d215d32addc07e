import type { Output } from '../output/output.ts';
import type { Driver } from './driver.ts';
import { FastapiDriver } from './fastapi/driver.ts';
import { ProcessDriver } from './process/driver.ts';

/** A driver, or why there is none: a state of the services that want it, not an error. */
type DriverLookup =
  | { readonly kind: 'driver'; readonly driver: Driver }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface DriverRegistry extends AsyncDisposable {
  /** `type` as in services.yaml. */
  find(type: string): DriverLookup;
}

/** The drivers of this build. `runtimeFolder`: `muster/<agent-id>` on a tmpfs. */
export function createDriverRegistry(options: {
  readonly runtimeFolder: string;
  readonly output: Output;
}): DriverRegistry {
  const process = new ProcessDriver(options);
  const drivers = new Map<string, Driver>([
    ['process', process],
    ['fastapi', new FastapiDriver(process)],
  ]);
  return {
    find(type) {
      const driver = drivers.get(type);
      return driver === undefined
        ? { kind: 'unavailable', reason: `driver ${type} is not in this build` }
        : { kind: 'driver', driver };
    },
    async [Symbol.asyncDispose]() {
      for (const driver of drivers.values()) await driver[Symbol.asyncDispose]();
    },
  };
}
