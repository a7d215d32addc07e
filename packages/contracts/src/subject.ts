import { ID_PATTERN, NONE } from './ids.ts';
import { SEVERITIES } from './messages/alert.ts';
import { ROLLUP_TIERS } from './messages/metrics.ts';

/** The root of every subject. Version 1 is for ever: what it means never changes. */
const ROOT = 'muster.v1';

/** The names between braces in a template: `'host.{host}.event'` has `'host'`. */
type ParamName<T extends string> = T extends `${string}{${infer P}}${infer Rest}` ? P | ParamName<Rest> : never;

/** What a subject template needs; an instance may be given as a number. */
export type SubjectParams<T extends string> = {
  readonly [K in ParamName<T>]: K extends 'instance' ? number | typeof NONE : string;
};

/** What may stand for one parameter: everything but `severity`, `tier`, `verb` and `instance` is an id. */
const TOKEN_RULES: Readonly<Record<string, (token: string) => boolean>> = {
  instance: (token) => token === NONE || /^(0|[1-9][0-9]{0,3})$/.test(token),
  service: (token) => token === NONE || ID_PATTERN.test(token),
  severity: (token) => (SEVERITIES as readonly string[]).includes(token),
  tier: (token) => (ROLLUP_TIERS as readonly string[]).includes(token),
  verb: (token) => /^[a-z][a-z-]{0,30}$/.test(token),
};

/** May `token` stand for this parameter of a template? */
export function isToken(param: string, token: string): boolean {
  return (TOKEN_RULES[param] ?? ((text: string) => ID_PATTERN.test(text)))(token);
}

/** A value that can't stand in a subject: it would change which subject is meant. */
export class InvalidTokenError extends Error {
  readonly param: string;
  readonly value: string;

  constructor(param: string, value: string) {
    super(`cannot build a subject: '${value}' is not a valid ${param}`);
    this.name = 'InvalidTokenError';
    this.param = param;
    this.value = value;
  }
}

function tokensOf(template: string): readonly string[] {
  return template.split('.');
}

function paramOf(token: string): string | undefined {
  return token.startsWith('{') ? token.slice(1, -1) : undefined;
}

function rootOf(env: string): string {
  if (!ID_PATTERN.test(env)) throw new InvalidTokenError('environment', env);
  return `${ROOT}.${env}`;
}

/** Fills a template. @throws InvalidTokenError when a value is not a single token of its kind. */
export function buildSubject<T extends string>(env: string, template: T, params: SubjectParams<T>): string {
  return fill(env, template, params, (param) => {
    throw new InvalidTokenError(param, 'undefined');
  });
}

/** The filter for all subjects of a template; what is not given is a wildcard. */
export function buildFilter<T extends string>(
  env: string,
  template: T,
  params: Partial<SubjectParams<T>> = {},
): string {
  return fill(env, template, params, () => '*');
}

function fill(
  env: string,
  template: string,
  params: Readonly<Record<string, string | number | undefined>>,
  missing: (param: string) => string,
): string {
  const tokens = tokensOf(template).map((token) => {
    const param = paramOf(token);
    if (param === undefined) return token;
    const value = params[param];
    if (value === undefined) return missing(param);
    const text = String(value);
    if (!isToken(param, text)) throw new InvalidTokenError(param, text);
    return text;
  });
  return [rootOf(env), ...tokens].join('.');
}

/** Reads the parameters back, or `undefined` when the subject is not one of this template in this environment. */
export function parseSubject<T extends string>(
  env: string,
  template: T,
  subject: string,
): SubjectParams<T> | undefined {
  const prefix = `${rootOf(env)}.`;
  if (!subject.startsWith(prefix)) return undefined;
  return matchTokens(template, subject.slice(prefix.length));
}

/** Reads the parameters of a template back from what was made of it: a key, or a subject without its root. */
export function matchTokens<T extends string>(template: T, text: string): SubjectParams<T> | undefined {
  const tokens = text.split('.');
  const expected = tokensOf(template);
  if (tokens.length !== expected.length) return undefined;
  const params: Record<string, string | number> = {};
  for (const [i, want] of expected.entries()) {
    const token = tokens[i] as string;
    const param = paramOf(want);
    if (param === undefined) {
      if (token !== want) return undefined;
      continue;
    }
    if (!isToken(param, token)) return undefined;
    params[param] = param === 'instance' && token !== NONE ? Number(token) : token;
  }
  return params as SubjectParams<T>;
}

/** What stands behind the root of an environment; the subject itself where it does not begin with that root. */
export function withoutRoot(env: string, subject: string): string {
  const prefix = `${rootOf(env)}.`;
  return subject.startsWith(prefix) ? subject.slice(prefix.length) : subject;
}

/** A template with what stands before it, for documents: `muster.v1.{environment}.host.{host}.event`. */
export function subjectPattern(template: string): string {
  return `${ROOT}.{environment}.${template}`;
}

/** Everything below `prefix` (a template's first tokens): for permissions. */
export function buildSubtree(env: string, tokens: readonly string[]): string {
  return [rootOf(env), ...tokens, '>'].join('.');
}
