import type { JudgedLine } from '@muster/contracts';

/** Takes out of a text what its service was given as a secret. */
export type Mask = (text: string) => string;

/** The line as it may leave the host. */
export function maskLine<L extends Pick<JudgedLine, 'text' | 'fields'>>(line: L, mask: Mask): L {
  const text = mask(line.text);
  const json = line.fields === undefined ? '' : JSON.stringify(line.fields);
  const masked = mask(json);
  if (text === line.text && masked === json) return line;
  return { ...line, text, ...(line.fields !== undefined && { fields: JSON.parse(masked) as JudgedLine['fields'] }) };
}
