export {
  type CommandArguments,
  type CommandResult,
  type CommandSender,
  type NoAnswer,
  sendCommand,
} from './commanding.ts';
export type { ChartSeries } from './downsample.ts';
export {
  type FleetChange,
  FleetClient,
  type FleetClientOptions,
  type FleetSnapshot,
  type Followed,
  type FollowedBucket,
  type FollowedSender,
} from './fleet-client.ts';
export { type Chain, FleetCommands, type FleetCommandsOptions } from './fleet-commands.ts';
export { type AlertGap, followAlerts } from './follow-alerts.ts';
export { type ForgetOutcome, forgetHost } from './forget-host.ts';
export type { LogEntry, LogSource } from './log-merge.ts';
export type { Measured } from './measure.ts';
export {
  type HistoryQuery,
  type MetricsHistory,
  type MetricsHistoryOptions,
  readMetricsHistory,
} from './metrics-history.ts';
export type { DashboardStanding, HostPresence, Presence, ProberStanding } from './presence.ts';
export { type LogQuery, readLogs } from './read-logs.ts';
