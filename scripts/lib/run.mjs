import { spawn } from 'node:child_process';

/**
 * @typedef {object} RunResult
 * @property {number} code exit code; 128 when a signal ended it, 127 when it could not be started
 * @property {string} output stdout and stderr as they came, interleaved
 */

/**
 * Runs a program to its end without a terminal on its stdin, and collects what it says. Never rejects.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, echo?: NodeJS.WritableStream }} options `echo` also shows the output as it comes
 * @param {AbortSignal} [signal] ends it with SIGTERM
 * @returns {Promise<RunResult>}
 */
export function run(command, args, { cwd, env, echo } = {}, signal) {
  return new Promise((settle) => {
    const child = spawn(command, args, { cwd, env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
    /** @type {string[]} */
    const output = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output.push(text);
        echo?.write(text);
      });
    }
    child.once('error', (error) => settle({ code: 127, output: `${output.join('')}${error.message}\n` }));
    child.once('close', (code) => settle({ code: code ?? 128, output: output.join('') }));
  });
}

/**
 * The last line that says something: programs put the reason there.
 * @param {string} output
 */
export function lastLine(output) {
  return output.trim().split('\n').at(-1)?.trim() || 'it said nothing';
}

/**
 * @param {string} output
 * @param {number} count
 */
export function lastLines(output, count) {
  return output.trimEnd().split('\n').slice(-count).join('\n');
}
