import type { z } from 'zod';
import { withoutUserInfo } from '../bus-address.ts';
import { type Diagnostic, nearest } from './diagnostic.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** Words people bring along from other tools. */
type Synonyms = Readonly<Record<string, string>>;

export interface ShapeOptions<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** The part of the file a path lies in, for people: `service 'api'`. */
  readonly nameOf: (path: Path) => { section: string; rest: Path };
  readonly synonyms: Synonyms;
  /** Values below such a path are never quoted. */
  readonly isSecret: (path: Path) => boolean;
}

/** Judges `value`, the source's own or one made from it, by the schema, and turns each finding of zod into a diagnostic at its place. */
export function checkShape<Schema extends z.ZodType>(
  source: YamlSource,
  value: unknown,
  options: ShapeOptions<Schema>,
): { value?: z.output<Schema>; errors: Diagnostic[] } {
  const result = options.schema.safeParse(value);
  if (result.success) return { value: result.data, errors: [] };
  const errors = result.error.issues.flatMap((issue) => diagnose(source, value, issue, [], options));
  return { errors };
}

function diagnose(
  source: YamlSource,
  root: unknown,
  issue: z.core.$ZodIssue,
  prefix: Path,
  options: ShapeOptions<z.ZodType>,
): Diagnostic[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue.errors);
    if (branch !== undefined) return branch.flatMap((inner) => diagnose(source, root, inner, path, options));
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(source, path, key, issue.message.split(' '), options));
  }
  if (issue.code === 'invalid_key') return [badMapKey(source, path, issue, options)];
  return [badValue(source, root, path, issue, options)];
}

/** Of a union, the alternative that the writer had in mind: the only one whose outermost type fits. */
function meantBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const fitting = branches.filter(
    (issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

function unknownKey(
  source: YamlSource,
  path: Path,
  key: string,
  known: readonly string[],
  options: ShapeOptions<z.ZodType>,
): Diagnostic {
  const synonym = options.synonyms[key.toLowerCase()];
  const meant = synonym !== undefined && known.includes(synonym) ? synonym : nearest(key, known);
  const { section, rest } = options.nameOf(path);
  return {
    file: source.file,
    ...source.placeOfKey(path, key),
    problem: `${section}unknown key ${shownKey(key)}${rest.length > 0 ? ` in '${rest.join('.')}'` : ''}`,
    remedy: meant === undefined ? `use one of ${known.join(', ')}` : `did you mean '${meant}'?`,
  };
}

function badMapKey(
  source: YamlSource,
  path: Path,
  issue: z.core.$ZodIssueInvalidKey,
  options: ShapeOptions<z.ZodType>,
): Diagnostic {
  const map = path.slice(0, -1);
  const key = String(path.at(-1));
  const { section, rest } = options.nameOf(map);
  return {
    file: source.file,
    ...source.placeOfKey(map, key),
    problem: `${section}'${rest.join('.')}' has a name ${shownKey(key)}`,
    remedy: issue.issues[0]?.message ?? issue.message,
  };
}

/** Only the start: `KEY=value` as a key, a forgotten colon or a map as a key would show a value. */
function shownKey(key: string): string {
  const start = /^[\w.-]*/.exec(key)?.[0] ?? '';
  if (start.length === key.length) return quote(key);
  return start === '' ? 'that is no word' : `that starts with ${quote(start)}`;
}

function badValue(
  source: YamlSource,
  root: unknown,
  path: Path,
  issue: z.core.$ZodIssue,
  options: ShapeOptions<z.ZodType>,
): Diagnostic {
  const { section, rest } = options.nameOf(path);
  const found = valueAt(root, path);
  const what = rest.length === 0 ? 'this' : `'${rest.join('.')}'`;
  // A forgotten colon makes a name of the value.
  const isBareSecret = found === null && options.isSecret(path) && rest.length > 1;
  const state = found === undefined ? 'is missing' : `is ${describe(found, options.isSecret(path))}`;
  const allowed = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const meant = typeof found === 'string' && !options.isSecret(path) ? nearest(found, allowed) : undefined;
  return {
    file: source.file,
    ...source.placeOf(path),
    problem:
      section + (isBareSecret ? `'${rest.slice(0, -1).join('.')}' has a name without a value` : `${what} ${state}`),
    remedy: meant === undefined ? issue.message : `did you mean '${meant}'? (${issue.message})`,
  };
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** What stands there, in words; never the value when it may be a secret. */
export function describe(value: unknown, isSecret = false): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (isSecret) return `a ${typeof value}`;
  return typeof value === 'string' ? quote(value) : JSON.stringify(value);
}

const MAX_QUOTED_LENGTH = 60;

function quote(text: string): string {
  const harmless = withoutUserInfo(text);
  return JSON.stringify(harmless.length > MAX_QUOTED_LENGTH ? `${harmless.slice(0, MAX_QUOTED_LENGTH)}…` : harmless);
}
