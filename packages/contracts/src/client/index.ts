export type { ChartSeries } from './downsample.ts';
export { FleetClient, type Followed } from './fleet-client.ts';
export { type CommandResult, FleetCommands, type Measured, type NoAnswer } from './fleet-commands.ts';
export { type AlertGap, followAlerts } from './follow-alerts.ts';
export { type ForgetOutcome, forgetHost } from './forget-host.ts';
export type { Presence } from './heartbeats.ts';
export type { LogEntry, LogSource } from './log-merge.ts';
export { type HistoryQuery, type MetricsHistory, readMetricsHistory } from './metrics-history.ts';
export { type LogQuery, readLogs } from './read-logs.ts';
