/*
 * What agent and output writer say to each other, over a Unix socket in the runtime folder: one line of JSON each. The two may be
 * of different versions: a writer goes on under the next agent, unless it is of another version.
 */

/** Of this file and of what lies in the runtime folder; a writer of another one is replaced. */
export const PROTOCOL = 1;

/** In the runtime folder. */
export const SOCKET = 'output.sock';
/** Says which process listens there: `<pid> <start time in ticks>`. */
export const IDENTITY = 'output.pid';

/** Brings what one run prints from its FIFOs into its log files. Said again it changes nothing. */
export interface DrainOrder {
  readonly do: 'drain';
  /** The run's folder. */
  readonly folder: string;
  readonly generation: number;
  readonly logFiles: { readonly stdout: string; readonly stderr: string };
}

export type Order =
  | DrainOrder
  | { readonly do: 'ping' }
  /** Answered once all that was printed before is in its file. */
  | { readonly do: 'flush'; readonly id: number };

export type Report =
  | { readonly is: 'hello'; readonly protocol: number }
  | { readonly is: 'pong' }
  | { readonly is: 'flushed'; readonly id: number }
  /** Nothing can come of this run any more, and all of it has been read. */
  | { readonly is: 'drained'; readonly folder: string };

/** Cuts what arrives into lines; `onMessage` gets what each says. */
export function lineReader(onMessage: (message: unknown) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onMessage(JSON.parse(line));
  };
}

export function toLine(message: Order | Report): string {
  return `${JSON.stringify(message)}\n`;
}
