/** What a text means to the reader; how that looks is the painter's. Meaning never hangs on colour alone. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong' | 'plain';
export type Paint = (tone: Tone, text: string) => string;

export const paintPlain: Paint = (_tone, text) => text;

const SGR = { good: '32', bad: '31', warn: '33', dim: '2', strong: '1' } as const;

export const paintAnsi: Paint = (tone, text) =>
  tone === 'plain' || text === '' ? text : `\u001B[${SGR[tone]}m${text}\u001B[0m`;

/** What `paintAnsi` puts around texts, each in a group of its own. */
export const OWN_COLOURS = new RegExp(String.raw`(\u001B\[(?:0|1|2|31|32|33)m)`, 'u');
