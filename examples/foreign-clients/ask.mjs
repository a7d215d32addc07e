/*
 * Asks an agent how its services are, and proves the answer:
 *
 *   MUSTER_BUS_CREDENTIALS=.muster/keys/operator-cli.creds node examples/foreign-clients/ask.mjs web1
 */
import { ask, connectToMuster } from './connect.mjs';

const bus = await connectToMuster();
const answer = await ask(bus, process.argv[2], 'status', {});
for (const { service, instance, state, reason } of answer.instances) {
  console.log(`${service}.${instance} ${state}: ${reason}`);
}
await bus.connection.drain();
