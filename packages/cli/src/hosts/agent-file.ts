import { readFile } from 'node:fs/promises';
import { type Document, isMap, isScalar, parseDocument, YAMLMap } from 'yaml';
import { CliError } from '../exit-codes.ts';

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
  const text = await readOrEmpty(file);
  const document = parseDocument(text);
  const cannot = (why: string) => new CliError('failed', `cannot change '${file}': ${why}`);
  const [error] = document.errors;
  if (error !== undefined) throw cannot(`${error.message.split('\n')[0]}: mend it first`);
  const bus = busMapOf(document, cannot);
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
    throw cannot(
      `${others.join(', ')}: this host belongs to another bus, or is another host; to replace that: --replace`,
    );
  }
  // A `tls` of the former bus would be taken for this one's; without it, what lies beside the creds file counts.
  if (isReplacing) bus.delete('tls');
  for (const [path, wanted] of entries) document.setIn(path, wanted);
  const changed = withLineEnds(document.toString(), text);
  const read = parseDocument(changed);
  const isWhole = read.errors.length === 0 && entries.every(([path, wanted]) => read.getIn(path) === wanted);
  if (!isWhole) throw cannot('it is written in a way that cannot be kept: write it as plain "key: value" lines first');
  return changed;
}

/** `bus` of the document, which is made where there is none: a file may be empty, all comments, or say `bus:` and no more. */
function busMapOf(document: Document, cannot: (why: string) => CliError): YAMLMap {
  if (isEmpty(document.contents)) document.contents = withCommentsOf(document.contents, new YAMLMap());
  if (!isMap(document.contents)) throw cannot('it is no map of "key: value" lines: mend it first');
  const present: unknown = document.get('bus', true);
  if (isMap(present)) return present;
  if (present !== undefined && !isEmpty(present)) throw cannot("'bus' in it is no map: mend it first");
  const bus = withCommentsOf(present, new YAMLMap());
  document.set('bus', bus);
  return bus;
}

function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function withCommentsOf(node: unknown, map: YAMLMap): YAMLMap {
  if (!isScalar(node)) return map;
  map.commentBefore = [node.commentBefore, node.comment].filter((text) => text != null).join('\n') || null;
  return map;
}

/** As the file had them. */
function withLineEnds(text: string, former: string): string {
  return former.includes('\r\n') ? text.replace(/\r?\n/gu, '\r\n') : text;
}

async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new CliError('failed', `cannot read '${file}': ${(error as Error).message}`, { cause: error });
  }
}
