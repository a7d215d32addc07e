export type { CommandArguments, CommandResult, NoAnswer } from './commanding.ts';
export {
  type FleetChange,
  FleetClient,
  type FleetClientOptions,
  type FleetSnapshot,
  type FollowedBucket,
  type Why,
} from './fleet-client.ts';
export { type HostPresence, PRESENCE_LIMIT_MS, presenceOf } from './presence.ts';
