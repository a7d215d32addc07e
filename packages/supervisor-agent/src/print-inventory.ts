/** `main.js --inventory`: the inventory of this host as JSON, for the agent that started this process. */
import { readInventory } from './host/inventory.ts';

export async function printInventory(): Promise<void> {
  const result = await readInventory(AbortSignal.timeout(30_000));
  if (result.kind === 'inventory') process.stdout.write(JSON.stringify(result.inventory));
  else process.stderr.write(result.reason);
  process.exitCode = result.kind === 'inventory' ? 0 : 1;
}
