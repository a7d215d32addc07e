/**
 * The floor that no Node supervisor can go below: restarts its children on `exit` and does nothing else, no records, no
 * logs, no bus. Takes commands as JSON, one argument each; ends with its parent.
 */
import { spawn } from 'node:child_process';

function supervise([program, ...args]: readonly string[]): void {
  if (program === undefined) return;
  spawn(program, args, { stdio: 'ignore' }).once('exit', () => supervise([program, ...args]));
}

for (const command of process.argv.slice(2)) supervise(JSON.parse(command) as string[]);
process.on('disconnect', () => process.exit());
