/**
 * Sets up the engine, then runs the agent (program.ts). A young generation that may grow to its default of 16 MB does so
 * at the start and is never given back: it would be half of what the agent takes. One that stays small is collected more
 * often, which costs an agent next to nothing. The old generation grows in smaller steps, too, once it is up: some 4 MB
 * less with 100 services, but an agent that takes over has no time for that.
 *
 * V8 takes for hot what has run for some milliseconds, so it optimizes much of a start, on threads that keep the memory that
 * took: with 100 services 8 MB, and a quarter of the CPU time of taking over. Here that is hot which has run 300 times as
 * long: the way of a line under a megabyte a second still is, after seconds, and costs what it did.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--max-semi-space-size=1');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--interrupt-budget=20000000');
// Asked by the agent itself (host/ask-inventory.ts).
if (process.argv[2] === '--inventory')
  void import('./print-inventory.ts').then(({ printInventory }) => printInventory());
// Started by the agent as well (output/output.ts).
else if (process.argv[2] === '--write-output')
  void import('./output/output-writer.ts').then(({ runOutputWriter }) => runOutputWriter());
else
  void import('./program.ts')
    .then(({ runProgram }) => runProgram())
    .then(() => setFlagsFromString('--optimize-for-size'));
