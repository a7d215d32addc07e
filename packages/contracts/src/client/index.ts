export type { ChartSeries } from './downsample.ts';
export {
  type DashboardStanding,
  FleetClient,
  type FleetClientOptions,
  type FleetSnapshot,
  type Followed,
  type FollowedSender,
  type HostPresence,
  type ProberStanding,
} from './fleet-client.ts';
export {
  type AskOptions,
  type Chain,
  type CommandArguments,
  type CommandResult,
  FleetCommands,
  type FleetCommandsOptions,
  type NoAnswer,
} from './fleet-commands.ts';
export { type AlertGap, followAlerts } from './follow-alerts.ts';
export { type ForgetOutcome, forgetHost } from './forget-host.ts';
export type { Presence } from './heartbeats.ts';
export type { LogEntry, LogSource } from './log-merge.ts';
export type { Measured } from './measure.ts';
export {
  type HistoryQuery,
  type MetricsHistory,
  type MetricsHistoryOptions,
  readMetricsHistory,
} from './metrics-history.ts';
export { type LogQuery, readLogs } from './read-logs.ts';
