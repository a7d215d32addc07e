import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { CliError } from './exit-codes.ts';

/** What joining a bus writes into agent.yaml. */
export interface BusSettings {
  readonly environment: string;
  readonly host: string;
  readonly url: string;
  readonly creds: string;
}

/**
 * The text of an agent.yaml with these settings, and everything else in it, comments too, as it was. A setting that is
 * there and says something else is replaced only when `isReplacing`.
 * @throws CliError (failed) when it can't be read, or says something else
 */
export async function withBusSettings(file: string, settings: BusSettings, isReplacing: boolean): Promise<string> {
  const document = parseDocument(await readOrEmpty(file));
  const [error] = document.errors;
  if (error !== undefined) {
    throw new CliError('failed', `cannot change '${file}': ${error.message.split('\n')[0]}: mend it first`);
  }
  const entries: readonly (readonly [readonly string[], string])[] = [
    [['environment'], settings.environment],
    [['host'], settings.host],
    [['bus', 'url'], settings.url],
    [['bus', 'creds'], settings.creds],
  ];
  const others = entries
    .map(([path, wanted]) => ({ path, wanted, present: document.getIn(path) }))
    .filter(({ wanted, present }) => present !== undefined && present !== null && present !== wanted)
    .map(({ path, present }) => `${path.join('.')} is '${String(present)}'`);
  if (others.length > 0 && !isReplacing) {
    throw new CliError(
      'failed',
      `cannot change '${file}': ${others.join(', ')}: this host belongs to another bus, or is another host; to replace that: --replace`,
    );
  }
  // A `tls` of the former bus would be taken for this one's; without it, what lies beside the creds file counts.
  if (isReplacing) document.deleteIn(['bus', 'tls']);
  for (const [path, wanted] of entries) document.setIn(path, wanted);
  return document.toString();
}

async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new CliError('failed', `cannot read '${file}': ${(error as Error).message}`, { cause: error });
  }
}
