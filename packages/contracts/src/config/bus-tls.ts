import { resolve } from 'node:path';
import { z } from 'zod';
import type { TlsFiles } from '../bus-address.ts';
import { strictMap } from './schema.ts';

const PATH_RULE = 'write the path of a PEM file';
const PemFile = z.string({ error: PATH_RULE }).min(1, { error: PATH_RULE });
const PAIR_RULE = 'write cert and key together, or neither';

/** `bus.tls` as written in a program's configuration. There is no key that turns a check off. */
export const BusTls = strictMap(
  {
    ca: PemFile.optional().meta({
      description: 'The CA of the bus; default: what Node trusts, or ca.crt beside the creds file.',
    }),
    cert: PemFile.optional().meta({ description: 'The certificate of this program, for a bus that asks for one.' }),
    key: PemFile.optional().meta({ description: 'The private key of that certificate.' }),
  },
  'write a map with ca, cert and key',
)
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), { error: PAIR_RULE })
  .meta({ description: 'PEM files for TLS with the bus; default: those beside the creds file.' });

/** The files as absolute paths. */
export function tlsFilesFrom({ ca, cert, key }: z.output<typeof BusTls>, currentDir: string): TlsFiles {
  return {
    ...(ca !== undefined && { caFile: resolve(currentDir, ca) }),
    ...(cert !== undefined && { certFile: resolve(currentDir, cert) }),
    ...(key !== undefined && { keyFile: resolve(currentDir, key) }),
  };
}
