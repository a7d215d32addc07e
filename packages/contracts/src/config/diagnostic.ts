/** One thing that is wrong, or worth a warning, in a configuration file. Never quotes a value that may be a secret. */
export interface Diagnostic {
  readonly file: string;
  /** 1-based; 0 when the place is not in a file (an environment variable). */
  readonly line: number;
  /** 1-based; 0 when the place is not in a file. */
  readonly column: number;
  /** What was found, and in which service or section. */
  readonly problem: string;
  /** What would do instead. */
  readonly remedy: string;
}

/** `config/services.yaml:4:11: service 'api': 'port' is 0; write a whole number from 1 to 65535` */
export function formatDiagnostic({ file, line, column, problem, remedy }: Diagnostic): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place}: ${problem}; ${remedy}`;
}

/** Top of the file first, as a reader works through it. */
export function byPlace(a: Diagnostic, b: Diagnostic): number {
  return a.line - b.line || a.column - b.column;
}

/** The candidate that `word` most likely was meant to be, or `undefined` when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const folded = word.slice(0, MAX_WORD_LENGTH).toLowerCase().replaceAll('-', '_');
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(folded, candidate.toLowerCase());
    const isNear = distance <= Math.max(1, Math.floor(candidate.length / 3));
    if (isNear && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

/** Longer words are no typing slips, and the distance costs the product of both lengths. */
const MAX_WORD_LENGTH = 64;

/** Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      let distance = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (isSame ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, at(beforePrevious, column - 2) + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
