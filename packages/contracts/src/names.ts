/*
 * Who sends a message and what it is about stands twice: in its subject or key, which the server guards, and in its body,
 * which it does not read. Each row, question and bucket declares which of its fields say the same as the subject; the bus
 * compares them where messages are decoded and where they are encoded, so that nobody who takes a message has to.
 */
import { z } from 'zod';
import { ROLE_SCOPE, type Role } from './roles.ts';

/**
 * By a field's path (`data.host`, `votes[].id`), what it must say: text with `{param}` for what the subject has there, or
 * else the body's own field of that name, and `*` at its end for anything more. Of several forms one must fit. A field that
 * is absent says nothing.
 */
export type Names = Readonly<Record<string, string | readonly string[]>>;

/** Where the values of `{param}` come from. */
export type NameValues = Readonly<Record<string, unknown>>;

/** What an alert says again of its subject and its key. */
export const ALERT_NAMES: Names = {
  subject: '{host}/{service}/{rule}',
  'data.host': '{host}',
  'data.service': '{service}',
  'data.rule': '{rule}',
  'data.fingerprint': '{host}/{service}/{rule}',
};

/** The names between braces. */
export function paramsIn(template: string): readonly string[] {
  return [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
}

/**
 * What follows from a template: a field that is called like one of its parameters says the same, and `source` is one of
 * `senders`, by its id where the template has it.
 */
export function namesOf(template: string, schema: z.ZodType, senders: readonly Role[], more: Names = {}): Names {
  const params = paramsIn(template);
  const fields = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const same = params.filter((param) => fields.includes(param)).map((param) => [param, `{${param}}`] as const);
  const sources = senders.map((role) => {
    const scope = ROLE_SCOPE[role];
    return scope !== undefined && params.includes(scope) ? `${role}/{${scope}}` : `${role}/*`;
  });
  return { ...Object.fromEntries(same), source: sources, ...more };
}

/** One form, cut at its parameters: `agent/{host}` is `agent/`, then the value of `host`, then nothing. */
interface Form {
  readonly texts: readonly string[];
  readonly params: readonly string[];
  readonly isOpen: boolean;
}

interface CompiledName {
  readonly path: string;
  readonly steps: readonly { readonly field: string; readonly isList: boolean }[];
  readonly forms: readonly Form[];
}

const compiled = new WeakMap<Names, readonly CompiledName[]>();

/** Why `message` does not speak of what its subject names; `undefined` when it does. */
export function whyForeign(names: Names, values: NameValues, message: unknown): string | undefined {
  let known = compiled.get(names);
  if (known === undefined) compiled.set(names, (known = compile(names)));
  const valueOf: ValueOf = (param) => (values[param] ?? (message as NameValues)[param]) as Named | undefined;
  for (const name of known) {
    const problem = look(name, 0, message, valueOf);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function compile(names: Names): readonly CompiledName[] {
  return Object.entries(names).map(([path, forms]) => ({
    path,
    steps: path.split('.').map((step) => ({ field: step.replace('[]', ''), isList: step.endsWith('[]') })),
    forms: (typeof forms === 'string' ? [forms] : forms).map(compileForm),
  }));
}

function compileForm(form: string): Form {
  const isOpen = form.endsWith('*');
  const parts = (isOpen ? form.slice(0, -1) : form).split(/\{(\w+)\}/);
  return { texts: parts.filter((_, i) => i % 2 === 0), params: parts.filter((_, i) => i % 2 === 1), isOpen };
}

/** What a field or a parameter that names something holds. */
type Named = string | number;
type ValueOf = (param: string) => Named | undefined;

function look(name: CompiledName, at: number, found: unknown, valueOf: ValueOf): string | undefined {
  if (found === undefined || found === null) return undefined;
  const step = name.steps[at];
  if (step === undefined) return compare(name, found as Named, valueOf);
  const inner = (found as NameValues)[step.field];
  if (!step.isList) return look(name, at + 1, inner, valueOf);
  for (const item of (inner ?? []) as readonly unknown[]) {
    const problem = look(name, at + 1, item, valueOf);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function compare({ path, forms }: CompiledName, found: Named, valueOf: ValueOf): string | undefined {
  const said = String(found);
  const wanted: string[] = [];
  for (const form of forms) {
    const text = filled(form, valueOf);
    // What nothing gives a value to is left open.
    if (text === undefined || (form.isOpen ? said.length > text.length && said.startsWith(text) : said === text)) {
      return undefined;
    }
    wanted.push(`'${text}${form.isOpen ? '…' : ''}'`);
  }
  return `${path}: is '${said}', where its subject or key says ${wanted.join(' or ')}`;
}

function filled({ texts: [first = '', ...texts], params }: Form, valueOf: ValueOf): string | undefined {
  let text = first;
  for (const [i, param] of params.entries()) {
    const value = valueOf(param);
    if (value === undefined) return undefined;
    text += String(value) + texts[i];
  }
  return text;
}
