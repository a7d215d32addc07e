export type { CommandArguments, CommandResult, NoAnswer } from './commanding.ts';
export {
  type FleetChange,
  FleetClient,
  type FleetClientOptions,
  type FleetSnapshot,
  type FollowedBucket,
} from './fleet-client.ts';
export { type Chain, FleetCommands, type FleetCommandsOptions } from './fleet-commands.ts';
export type { LogEntry, LogSource } from './log-merge.ts';
export { type HostPresence, PRESENCE_LIMIT_MS, presenceOf } from './presence.ts';
export { type LogQuery, readLogs } from './read-logs.ts';
