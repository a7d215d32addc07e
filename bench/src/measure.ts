import type { Finding } from './finding.ts';
import type { PeerProgram } from './pm2.ts';

/** What every measure gets. */
export interface BenchContext {
  /** How many services are supervised in the measures with many. */
  readonly services: number;
  /** Fewer rounds and shorter waits: to see that everything works. */
  readonly isQuick: boolean;
  /** The clone. */
  readonly rootDir: string;
  /** Another one, built, to compare with. */
  readonly beforeDir?: string;
  readonly pm2: PeerProgram;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Says to people what goes on. */
  readonly say: (text: string) => void;
}

export interface Measure {
  /** As in `--only`. */
  readonly name: string;
  /** One line: what the figures include and what they leave out. */
  readonly includes: string;
  readonly run: (context: BenchContext) => Promise<Measured>;
}

interface Measured {
  readonly counts: string;
  readonly findings: readonly Finding[];
  readonly leftOut?: readonly string[];
}
