/*
 * One real reader of the fleet in a process of its own: contracts' client with all buckets and heartbeats, and every metrics
 * message parsed and validated. Usage: reader.js URL. Over IPC it says `ready` once it has everything that is stored, and
 * every second how many messages it has read and how old the oldest of the last second was.
 */
import { rows } from '@muster/contracts';
import { openBus } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';

export interface ReaderReport {
  readonly type: 'read';
  readonly messages: number;
  /** The oldest of the last second's messages, by the one clock of this machine. */
  readonly lagMs: number;
  readonly disconnections: number;
}

const READY_TIMEOUT_MS = 110_000;
const REPORT_EVERY_MS = 1_000;

const [url = ''] = process.argv.slice(2);
const bus = openBus({ servers: url, environment: 'bench', role: 'operator', id: 'reader' });
const startedAtMs = performance.now();
const read = { messages: 0, lagMs: 0, disconnections: 0 };

function count({ time }: { readonly time: string }): void {
  read.messages += 1;
  read.lagMs = Math.max(read.lagMs, Date.now() - Date.parse(time));
}

bus.onConnection(({ connected }) => {
  if (!connected) read.disconnections += 1;
});
process.on('disconnect', () => process.exit());
await bus.connected();
const client = new FleetClient({ bus, actor: 'bench' });
client.onChange((change) => {
  if (change.kind === 'host-presence') count(change.heartbeat);
});
bus.subscribe(rows.hostMetrics, {}, count);
await client.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
process.send?.({ type: 'ready', afterMs: performance.now() - startedAtMs, statuses: client.snapshot().status.size });
setInterval(() => {
  process.send?.({ type: 'read', ...read } satisfies ReaderReport);
  read.lagMs = 0;
}, REPORT_EVERY_MS);
