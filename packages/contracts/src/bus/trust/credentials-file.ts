/*
 * One file per identity holds all that it needs on the bus. The blocks of NATS come first, where every NATS client finds
 * them; ours follow, and are skipped by others.
 */

export interface Credentials {
  /** The user's JWT, signed by the account: what the server lets it do. */
  readonly jwt: string;
  readonly seed: string;
  /** Signed by the root: what others may take its word for. Absent in files of older versions. */
  readonly grant: string | undefined;
  /** Public keys of the environment's roots; more than one while a root is replaced. */
  readonly roots: readonly string[];
}

export function formatCredentials({ jwt, seed, grant, roots }: Credentials): string {
  return [
    '-----BEGIN NATS USER JWT-----',
    jwt,
    '------END NATS USER JWT------',
    '',
    '************************* IMPORTANT *************************',
    'The seed below is a secret: whoever has it is this identity.',
    'Nobody but the program that uses this file may read it.',
    '',
    ...block('USER NKEY SEED', seed),
    ...(grant === undefined ? [] : block('MUSTER GRANT', grant)),
    ...roots.flatMap((root) => block('MUSTER ROOT', root)),
  ].join('\n');
}

/** What is missing is empty: it is checked where it is used. */
export function parseCredentials(text: string): Credentials {
  const blocks = [...text.matchAll(/-{3,}BEGIN ([A-Z ]+)-{3,}\s+(\S+)\s+-{3,}END \1-{3,}/g)];
  const find = (label: string) => blocks.filter((block) => block[1] === label).map((block) => block[2] ?? '');
  return {
    jwt: find('NATS USER JWT')[0] ?? '',
    seed: find('USER NKEY SEED')[0] ?? '',
    grant: find('MUSTER GRANT')[0],
    roots: find('MUSTER ROOT'),
  };
}

function block(label: string, line: string): readonly string[] {
  return [`-----BEGIN ${label}-----`, line, `------END ${label}------`, ''];
}
