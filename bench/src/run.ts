import { execFile } from 'node:child_process';
import { bareEnvironment } from './processes.ts';

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. @throws Error with its last output when it fails. */
export function run(program: string, args: readonly string[], { signal, cwd, env = {} }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { signal, cwd, env: { ...bareEnvironment(), ...env }, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const output = `${stdout}\n${stderr}`.trim().split('\n').slice(-5).join('\n');
        reject(new Error(`'${program} ${args.join(' ')}' failed: ${output}`, { cause: error }));
      }
    });
  });
}
