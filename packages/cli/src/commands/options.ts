import type { Command } from 'commander';
import type { Flags } from '../config.ts';

export interface JsonOptions extends Flags {
  readonly json?: true;
}

export const JSON_FLAG = '--json';

/** A command that only reads, with what all of them share. */
export function addReader(program: Command, name: string, summary: string, description: string): Command {
  return program.command(name).summary(summary).description(description).option(JSON_FLAG, 'print JSON, for programs');
}

export function examples(...lines: readonly string[]): string {
  return ['', 'Examples:', ...lines.map((line) => `  $ ${line}`)].join('\n');
}
