import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Diagnostic } from './diagnostic.ts';

export type Path = readonly (string | number)[];

/** Where in the text something stands. Both are 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A YAML text that could be read: its plain value, and the place of each part of it. */
export interface YamlSource {
  readonly file: string;
  readonly value: unknown;
  /** The value at `path`; its key when the value is empty; the nearest thing around it when it does not exist. */
  placeOf(path: Path): Place;
  /** The key `key` of the map at `path`. */
  placeOfKey(path: Path, key: string): Place;
  /** The scalar at `path` as it was written (`1.10`, not 1.1), or `undefined` when there is none. */
  textAt(path: Path): string | undefined;
}

/**
 * Parses one YAML 1.2 document. `source` is absent when the text is too broken to be looked at further; duplicate keys are
 * reported, and yet the rest is readable. Never throws.
 */
export function parseYaml(text: string, file: string): { source?: YamlSource; errors: Diagnostic[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' });
  const findings = [...document.errors, ...document.warnings];
  const errors = findings.map(({ code, pos }): Diagnostic => {
    return { file, ...placeAt(lines, pos[0]), ...explainSyntax(code, text.slice(pos[0])) };
  });
  if (findings.some(({ code }) => code !== 'DUPLICATE_KEY')) return { errors };
  try {
    return { source: sourceOf(document, lines, file), errors };
  } catch {
    // An alias without its anchor, or aliases that multiply into millions of nodes: the library throws only when it expands them.
    const remedy = 'give every alias (*name) an anchor (&name) above it, and nest aliases less';
    return { errors: [...errors, { file, line: 1, column: 1, problem: 'an alias cannot be expanded', remedy }] };
  }
}

/** The library's own messages quote the text around the error, which may be a secret, so only their codes are used. */
function explainSyntax(code: string, textFrom: string): { problem: string; remedy: string } {
  switch (code) {
    case 'DUPLICATE_KEY':
      return {
        problem: `the key '${/^[\w.-]*/.exec(textFrom)?.[0]}' stands twice in the same map`,
        remedy: 'keep one',
      };
    case 'TAB_AS_INDENT':
      return { problem: 'a tab is used as indentation', remedy: 'indent with spaces' };
    case 'BAD_INDENT':
      return { problem: 'the indentation fits nothing above', remedy: 'align it with its siblings' };
    case 'MULTIPLE_DOCS':
      return { problem: 'a second document starts here (---)', remedy: 'keep one document per file' };
    case 'MISSING_CHAR':
      return {
        problem: 'a character is missing here',
        remedy: 'close the quote or bracket, or write a space after the colon',
      };
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        problem: 'a key spans several lines',
        remedy: 'check the indentation, and quote values that contain ": "',
      };
    case 'BAD_ALIAS':
      return { problem: 'this alias or anchor is not valid', remedy: 'quote values that start with * or &' };
    case 'TAG_RESOLVE_FAILED':
      return { problem: 'this tag is not known', remedy: 'quote values that start with !' };
    default:
      return { problem: `this is not valid YAML (${code})`, remedy: 'check the indentation, quotes and brackets here' };
  }
}

/** An empty text has no line 1 for the library. */
function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** A merge key (<<) has a symbol for a value, a number its own notation. */
function keyText(key: Node): string | undefined {
  if (!isScalar(key)) return undefined;
  return typeof key.value === 'string' ? key.value : key.source;
}

function sourceOf(document: Document, lines: LineCounter, file: string): YamlSource {
  const startOf = (node: Node | null | undefined): number => node?.range?.[0] ?? 0;

  const pairAt = (parent: Node | null, key: string | number): Pair<Node, Node | null> | undefined => {
    if (!isMap<Node, Node | null>(parent)) return undefined;
    // The last one, as in the plain value, when a key stands twice.
    return parent.items.findLast((pair) => keyText(pair.key) === String(key));
  };

  const resolve = (node: Node | null): Node | null => (isAlias(node) ? (node.resolve(document) ?? null) : node);

  /** The node at `path` and where it starts; `node` is absent when the path leaves the document. */
  const find = (path: Path): { node?: Node | null; offset: number } => {
    let node: Node | null = resolve(document.contents);
    let offset = startOf(document.contents);
    for (const step of path) {
      if (isSeq<Node>(node)) {
        const item: Node | undefined = node.items[Number(step)];
        if (item === undefined) return { offset };
        offset = startOf(item);
        node = resolve(item);
        continue;
      }
      const pair = pairAt(node, step);
      if (pair === undefined) return { offset };
      const isEmpty = pair.value === null || (isScalar(pair.value) && pair.value.value === null && !pair.value.source);
      offset = isEmpty ? startOf(pair.key) : startOf(pair.value);
      node = resolve(pair.value);
    }
    return { node, offset };
  };

  return {
    file,
    value: document.toJS(),
    placeOf: (path) => placeAt(lines, find(path).offset),
    placeOfKey: (path, key) => {
      const { node, offset } = find(path);
      const pair = node === undefined ? undefined : pairAt(node, key);
      return placeAt(lines, pair === undefined ? offset : startOf(pair.key));
    },
    textAt: (path) => {
      const { node } = find(path);
      return isScalar(node) ? node.source : undefined;
    },
  };
}
