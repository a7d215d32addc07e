/** Messages in which every text is hostile, as far as their schemas let it be: made from the schemas, so a new field is among them. */

/** As a schema says of itself what it is. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly element?: Schema;
  readonly innerType?: Schema;
  readonly valueType?: Schema;
  readonly keyType?: Schema;
  readonly options?: readonly Schema[];
  readonly in?: Schema;
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
}
export interface Schema {
  safeParse(value: unknown): { readonly success: boolean; readonly data?: unknown };
}

/** Moves the cursor, sets the title, turns directions, hides, breaks the line, piles up marks. */
export const HOSTILE = [
  'a\u001B[2J\u001B]0;title\u0007',
  'b\u009B1;1H\u0085',
  'c\u202Ed\u2066e\u200Bf\uFEFF',
  'g\nh\ri\u2028',
  'j\uD83Dk\u{E0041}\u3164',
  `l${'\u0301'.repeat(40)}\u007F\u0000`,
].join('');

/** What must not reach a terminal or a page. */
export const FORBIDDEN = /[\p{C}\p{Zl}\p{Zp}\u3164\u115F]|\u034F|\p{M}{10}/u;

/** Where nothing hostile is let through: what the fields of such kinds look like. */
const HARMLESS = [
  '2026-03-01T12:00:00.000Z',
  'web1',
  `U${'A'.repeat(55)}`,
  'web1/api',
  'AAAA',
  'muster.alert',
  'agent/web1',
  'a',
];

export function hostile(schema: Schema): unknown {
  const { type, shape, element, innerType, valueType, keyType, options, entries, values, ...rest } =
    definitionOf(schema);
  switch (type) {
    case 'object':
      return Object.fromEntries(Object.entries(shape ?? {}).map(([name, field]) => [name, hostile(field)]));
    case 'array':
      return element === undefined ? [] : firstGood(schema, [[hostile(element)], []]);
    case 'record':
      return Object.fromEntries([
        [keyType === undefined ? 'a' : firstGood(keyType, [HOSTILE, ...HARMLESS]), valueType && hostile(valueType)],
      ]);
    case 'union':
      return hostile(options?.find((option) => definitionOf(option).type === 'string') ?? (options?.[0] as Schema));
    case 'enum':
      return Object.values(entries ?? {})[0];
    case 'literal':
      return values?.[0];
    case 'boolean':
      return true;
    case 'number':
      return firstGood(schema, [3, 0, 1, 0.5]);
    case 'string':
      return firstGood(schema, [HOSTILE, ...HARMLESS]);
    case 'unknown':
    case 'any':
      return { [HOSTILE]: [HOSTILE] };
    case 'pipe':
      return hostile(rest.in as Schema);
    default:
      if (innerType === undefined) throw new Error(`no hostile value of '${type}' is known here`);
      return hostile(innerType);
  }
}

function definitionOf(schema: Schema): Definition {
  return (schema as unknown as { readonly def: Definition }).def;
}

function firstGood(schema: Schema, values: readonly unknown[]): unknown {
  const good = values.find((value) => schema.safeParse(value).success);
  if (good === undefined) throw new Error(`nothing that is tried fits ${JSON.stringify(definitionOf(schema))}`);
  return good;
}
