import { StoreRefusedError } from '../bus/errors.ts';
import type { NatsBus } from '../bus/nats-bus.ts';
import { STREAM_NAMES, streamName } from '../streams.ts';

/** In nobody's API. */
const UNKNOWN_FIELD = { muster_asks_whether_this_is_refused: true };
/** What a server answers to a body that it cannot read. */
const INVALID_JSON = 10_025;

/**
 * Do the servers refuse a call of JetStream's API with a field that they do not know? One that overlooks it takes whatever it is
 * made to send itself for a call: its own answers, aimed there by who may name where they go. Tried, for no version says
 * it: 2.9 and 2.10 overlook, 2.11 refuses where `strict` is set, 2.12 and newer refuse. In a cluster the server that leads a
 * stream answers for it. @throws as `callJetStream`
 */
export async function isApiStrict(bus: NatsBus): Promise<boolean> {
  const refusals = STREAM_NAMES.map((name) => isRefused(bus, `STREAM.INFO.${streamName(bus.environment, name)}`));
  return (await Promise.all(refusals)).every((refused) => refused);
}

async function isRefused(bus: NatsBus, call: string): Promise<boolean> {
  try {
    await bus.callJetStream(call, UNKNOWN_FIELD);
    return false;
  } catch (error) {
    if (error instanceof StoreRefusedError && error.code === INVALID_JSON) return true;
    throw error;
  }
}
