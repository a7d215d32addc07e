import { readFileSync } from 'node:fs';
import { readSettings } from './config.ts';
import { EXIT } from './exit-codes.ts';
import { runProgram } from './program.ts';
import { Terminal } from './terminal.ts';

/* The command `muster`: wires the process to the program, and nothing else. */

const { env, stdout, stderr } = process;
const terminal = new Terminal(stdout, stderr, env);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

// `muster alerts -f | head -1`: the reader has what it wanted.
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    const advice = 'write it elsewhere, or make room; the command itself may have been done';
    if (stream === stdout) terminal.note(`muster: cannot write the output: ${error.message}: ${advice}`);
    process.exit(EXIT.failed);
  });
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

void runProgram(
  process.argv.slice(2),
  { terminal, stdin: process.stdin, signal: stop.signal, readSettings: (flags) => readSettings(flags, env) },
  version,
).then((code) => {
  process.exitCode = code;
});
