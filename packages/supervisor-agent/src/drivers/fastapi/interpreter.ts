import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { RunSpec } from '../driver.ts';
import { DEFAULT_PATH } from '../process/preflight.ts';

type Environment = RunSpec['environment'];

/** The interpreter of the distribution, for which `apt-get install python3-fastapi` installs. */
const SYSTEM_PYTHON = '/usr/bin/python3';
/** A cold import of both takes about a second. */
const PROBE_TIMEOUT_MS = 30_000;

export type Interpreter =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'missing'; readonly reason: string };

/** Finds, once per PATH, a Python that can run FastAPI services. Only what was found is kept: the rest can be installed. */
export class InterpreterFinder {
  readonly #found = new Map<string, Promise<Interpreter>>();

  /** `environment`: the service's, since that decides what Python sees. */
  find(environment: Environment): Promise<Interpreter> {
    const path = environment['PATH'] ?? DEFAULT_PATH;
    const known = this.#found.get(path);
    if (known !== undefined) return known;
    const search = findInterpreter(path, environment);
    this.#found.set(path, search);
    void search.then(({ kind }) => {
      if (kind === 'missing') this.#found.delete(path);
    });
    return search;
  }
}

async function findInterpreter(path: string, environment: Environment): Promise<Interpreter> {
  const first = path
    .split(':')
    .map((folder) => join(folder, 'python3'))
    .find(isExecutable);
  const failures: string[] = [];
  for (const candidate of new Set([...(first === undefined ? [] : [first]), SYSTEM_PYTHON])) {
    const failure = await tryImport(candidate, environment);
    if (failure === undefined) return { kind: 'found', path: candidate };
    failures.push(`${candidate} (${failure})`);
  }
  const tried = [...(first === undefined ? ['python3 (not in PATH)'] : []), ...failures].join(' and ');
  const remedy = 'run `apt-get install python3-fastapi python3-uvicorn`, or name an interpreter that has them';
  return { kind: 'missing', reason: `no Python imports fastapi and uvicorn: tried ${tried}; ${remedy}` };
}

/** `undefined`: it can. */
async function tryImport(python: string, environment: Environment): Promise<string | undefined> {
  // Loaded when it is needed: it would cost every agent 7 MB and 100 ms at its start.
  const { execa } = await import('execa');
  const { failed, stderr, shortMessage } = await execa(python, ['-c', 'import fastapi, uvicorn'], {
    env: environment,
    extendEnv: false,
    timeout: PROBE_TIMEOUT_MS,
    reject: false,
  });
  return failed ? stderr.trim().split('\n').at(-1) || shortMessage : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
