import { type JsonSchema, nameOfRef, openWordsOf } from './json-schemas.ts';
import { code, link, table } from './markdown.ts';

/** The fields of a type, those of objects within it by their path: `lines[].text`. */
export function fieldTable(schema: JsonSchema): string {
  const rows = fieldRows(schema, '');
  return rows.length === 0 ? `${typeText(schema)}.` : table(['field', 'type', 'meaning'], rows);
}

function fieldRows({ properties = {}, required = [] }: JsonSchema, path: string): string[][] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const isOptional = !required.includes(name);
    const here = `${path}${name}`;
    const row = [code(here), typeText(field) + (isOptional ? ', optional' : ''), field.description ?? ''];
    return [row, ...nestedRows(field, here)];
  });
}

function nestedRows(field: JsonSchema, path: string): string[][] {
  if (field.properties !== undefined) return fieldRows(field, `${path}.`);
  return field.items === undefined ? [] : nestedRows(field.items, `${path}[]`);
}

function typeText(schema: JsonSchema): string {
  const { $ref, type, items, anyOf, additionalProperties, format } = schema;
  const words = openWordsOf(schema);
  if (words !== undefined) return `${wordsText(words)}; any other reads as ${code(String(schema.default))}`;
  if ($ref !== undefined) return link(nameOfRef($ref));
  if (schema.enum !== undefined) return wordsText(schema.enum);
  if ('const' in schema) return code(String(schema.const));
  if (anyOf !== undefined) return anyOf.map(typeText).join(' or ');
  if (items !== undefined) return `list of ${typeText(items)}${boundText(schema)}`;
  if (typeof additionalProperties === 'object' && schema.properties === undefined) {
    return `map of ${Object.keys(additionalProperties).length === 0 ? 'anything' : typeText(additionalProperties)}`;
  }
  if (format === 'date-time') return 'time (RFC 3339, UTC)';
  return `${typeof type === 'string' || type === undefined ? (type ?? 'anything') : type.join(' or ')}${boundText(schema)}`;
}

function wordsText(words: readonly unknown[]): string {
  return words.map((word) => code(String(word))).join(', ');
}

function boundText({ minimum, maximum, maxItems, minLength, maxLength, pattern }: JsonSchema): string {
  if (maxItems !== undefined) return `, at most ${maxItems}`;
  if (pattern !== undefined) return ` ${code(pattern)}`;
  if (minimum !== undefined) return maximum === undefined ? ` ≥ ${minimum}` : ` ${minimum} to ${maximum}`;
  if (maxLength !== undefined) return ` of ${minLength ?? 0} to ${maxLength} characters`;
  return '';
}
