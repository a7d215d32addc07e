import { type Row, type RowName, rows } from './rows.ts';
import type { StreamName } from './streams.ts';
import { isToken, parseSubject, withoutRoot } from './subject.ts';

/** One row that a pattern speaks of, and which of its subjects. */
export interface RowMatch {
  readonly name: RowName;
  readonly row: Row;
  readonly filter: Readonly<Record<string, string>>;
}

/**
 * The rows that a NATS pattern speaks of. It is written below the environment's root (`host.web1.>`, `alert.critical.*.*.*`),
 * with the root before it, or as the name of a row. None when no message of Muster can have such a subject.
 */
export function matchRows(env: string, pattern: string): readonly RowMatch[] {
  const all = Object.entries<Row>(rows) as [RowName, Row][];
  const named = all.find(([name]) => name === pattern);
  if (named !== undefined) return [{ name: named[0], row: named[1], filter: {} }];
  const tokens = withoutRoot(env, pattern).split('.');
  return all.flatMap(([name, row]) => {
    const filter = filterOf(row.template.split('.'), tokens);
    return filter === undefined ? [] : [{ name, row, filter }];
  });
}

const SIGNED = Object.values<Row>(rows).filter(({ isSigned }) => isSigned);

/** Is what travels on this subject signed? */
export function isSignedSubject(env: string, subject: string): boolean {
  return SIGNED.some(({ template }) => parseSubject(env, template, subject) !== undefined);
}

const KEPT = Object.values<Row>(rows).filter(({ kind }) => kind === 'stream');

/** The stream that keeps what travels on this subject; `undefined` when none does. */
export function streamOfSubject(env: string, subject: string): StreamName | undefined {
  return KEPT.find(({ template }) => parseSubject(env, template, subject) !== undefined)?.stream;
}

function filterOf(template: readonly string[], pattern: readonly string[]): Record<string, string> | undefined {
  const filter: Record<string, string> = {};
  for (const [at, wanted] of pattern.entries()) {
    const token = template[at];
    if (token === undefined) return undefined;
    if (wanted === '>') return at === pattern.length - 1 ? filter : undefined;
    if (wanted === '*') continue;
    const param = token.startsWith('{') ? token.slice(1, -1) : undefined;
    if (param === undefined ? token !== wanted : !isToken(param, wanted)) return undefined;
    if (param !== undefined) filter[param] = wanted;
  }
  return template.length === pattern.length ? filter : undefined;
}
