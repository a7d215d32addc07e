/** Reads services.yaml, and says what to do when it is broken while services of the last good one may still run. */
import path from 'node:path';
import { type Diagnostic, type ReservedService, readServices, type ServiceSpec } from '@muster/contracts/config';
import { readIfPresent, replaceFile } from '@muster/contracts/files';

export interface LoadedServices {
  readonly services: readonly ServiceSpec[];
  readonly warnings: readonly Diagnostic[];
  /** The file is refused and the last good one is used instead; these are its errors. */
  readonly refused: readonly Diagnostic[];
}

export type ServicesLoading = LoadedServices | { readonly errors: readonly Diagnostic[] };

export interface LoadServicesOptions {
  readonly file: string;
  /** Where the last good text is kept. */
  readonly stateDir: string;
  readonly host: string;
  readonly reserved: readonly ReservedService[];
  /** The last agent did not stop in order: what it ran may be alive, and must go on being looked after. */
  readonly isResuming: boolean;
}

/** An absent file names no services. A broken one is refused, unless services of the last good one may be running. */
export function loadServices({ file, stateDir, host, reserved, isResuming }: LoadServicesOptions): ServicesLoading {
  const lastGoodFile = path.join(stateDir, 'services.last-good.yaml');
  const text = readIfPresent(file) ?? '';
  const reading = readServices(text, file, { host, reserved });
  if ('services' in reading) {
    if (readIfPresent(lastGoodFile) !== text) replaceFile(lastGoodFile, text);
    return { services: reading.services, warnings: reading.warnings, refused: [] };
  }
  const lastGood = isResuming ? readIfPresent(lastGoodFile) : undefined;
  if (lastGood === undefined) return { errors: reading.errors };
  const former = readServices(lastGood, lastGoodFile, { host, reserved });
  if (!('services' in former)) return { errors: reading.errors };
  return { services: former.services, warnings: reading.warnings, refused: reading.errors };
}
