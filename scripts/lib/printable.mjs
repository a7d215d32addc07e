/*
 * What a terminal may show of a text. The launcher runs before anything is installed or built, so this says again what
 * packages/contracts/src/printable.ts says; a test compares the two.
 */

const COLOURS = new RegExp(String.raw`(?:\u001B\[|\u009B)[0-9;:]*m`, 'g');
const HIDDEN_BUT_TABS =
  /[^\P{C}\t]|[\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]|\u034F|[\u17B4\u17B5]|[\u180B-\u180D\u180F]|[\u{E0100}-\u{E01EF}]/gu;
const TOWERS = /(\p{M}{6})\p{M}+/gu;

/**
 * Nothing in it moves the cursor, changes the terminal, turns directions or hides; it keeps its lines and tabs.
 * @param {string} text
 */
export function printableLines(text) {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(COLOURS, '').replace(HIDDEN_BUT_TABS, '\u{FFFD}').replace(TOWERS, '$1'))
    .join('\n');
}
