/*
 * Texts from elsewhere, as a terminal or a page may show them. Nothing in them moves the cursor, changes the terminal, turns
 * the direction of what stands beside it, is invisible, or grows over the lines above and below. What is taken out shows as
 * U+FFFD, so that the reader sees that something was there.
 */

/**
 * Control (C0, C1, DEL), format (bidi, zero-width, tags), private, unassigned and lone surrogate code points, separators of lines and
 * paragraphs, and what is a letter or a mark but shows nothing.
 */
const HIDDEN =
  /[\p{C}\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]|\u034F|[\u17B4\u17B5]|[\u180B-\u180D\u180F]|[\u{E0100}-\u{E01EF}]/gu;
const HIDDEN_BUT_TABS =
  /[^\P{C}\t]|[\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]|\u034F|[\u17B4\u17B5]|[\u180B-\u180D\u180F]|[\u{E0100}-\u{E01EF}]/gu;
/** Whoever has given it a colour means no harm, and the rest reads better without. */
const COLOURS = new RegExp(String.raw`(?:\u001B\[|\u009B)[0-9;:]*m`, 'g');
/** More marks than any script puts on one letter. */
const TOWERS = /(\p{M}{6})\p{M}+/gu;
const REPLACEMENT = '\u{FFFD}';

/**
 * On one line: each stretch of white space is one space.
 * @param {string} text
 */
export function printable(text) {
  return text.replace(COLOURS, '').replace(/\s+/gu, ' ').replace(HIDDEN, REPLACEMENT).replace(TOWERS, '$1');
}

/**
 * On one line, with its spaces and tabs as they are, as for a line of a log.
 * @param {string} text
 */
export function printableLine(text) {
  return text.replace(COLOURS, '').replace(HIDDEN_BUT_TABS, REPLACEMENT).replace(TOWERS, '$1');
}

/**
 * As many lines as it has.
 * @param {string} text
 */
export function printableLines(text) {
  return text.split(/\r?\n/).map(printableLine).join('\n');
}

/**
 * JSON on one line, faithful for whoever parses it: what would not be seen as it is stands there as `\uXXXX`.
 * @param {unknown} value
 * @returns {string}
 */
export function printableJson(value) {
  return JSON.stringify(value).replace(HIDDEN, (hidden) =>
    hidden
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/**
 * JSON that a page gets, with each text in it as it may be shown.
 * @param {string} json
 * @returns {unknown}
 * @throws {SyntaxError}
 */
export function parseShown(json) {
  return JSON.parse(json, (_key, value) => (typeof value === 'string' ? printableText(value) : value));
}

/**
 * Most texts are as they should be.
 * @param {string} text
 */
function printableText(text) {
  return /^[\x20-\x7E]*$/.test(text) ? text : printableLines(text);
}
