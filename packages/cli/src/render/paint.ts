/** What a text means to the reader; how that looks is the painter's. Meaning never hangs on colour alone. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong' | 'plain';
export type Paint = (tone: Tone, text: string) => string;

export const paintPlain: Paint = (_tone, text) => text;

const SGR = { good: '32', bad: '31', warn: '33', dim: '2', strong: '1' } as const;

export const paintAnsi: Paint = (tone, text) =>
  tone === 'plain' || text === '' ? text : `\u001B[${SGR[tone]}m${text}\u001B[0m`;

/** As it is, without what would move the cursor or change the reader's terminal. */
export function harmless(text: string): string {
  return text.replace(/[^\P{C}\t]/gu, '\u{FFFD}');
}

/** Text from the wire on one line, without what would move the cursor or change the reader's terminal. */
export function printable(text: string): string {
  return text.replace(/\s+/gu, ' ').replace(/\p{C}/gu, '\u{FFFD}');
}
