export type {
  Bus,
  BusCounters,
  BusOptions,
  BusProblem,
  ConnectionEvent,
  HistoryOptions,
  KvBucket,
  KvHandlers,
  OrderedOptions,
  RequestOptions,
  StoredMessage,
  Subscription,
} from './bus.ts';
export { type CredentialClaims, notGranted, readCredentialClaims } from './credentials.ts';
export * from './errors.ts';
export {
  inspectStore,
  inspectStreams,
  measureClockOffset,
  type StoreInspection,
  type StreamInspection,
} from './inspection.ts';
export {
  type BusTrust,
  credentialsFile,
  ForeignCredentialsError,
  type Identity,
  KeyFileError,
  type MintedKeys,
  type MintOptions,
  mintKeys,
} from './keys.ts';
export { limitProblems, type ToldProblem } from './limit-problems.ts';
export { NatsBus, openBus, type ServerFacts } from './nats-bus.ts';
export {
  CONTROL_LINE_BYTES,
  type NatsServerOptions,
  natsServerConfig,
  requiredStoreBytes,
  writeNatsServerConfig,
} from './nats-config.ts';
export { Outbox, type OutboxDelivery, type OutboxOptions } from './outbox.ts';
export { LAYOUT_VERSION, SetupError, type SetupOptions, type SetupReport, setupBus } from './setup.ts';
export { uuidv7 } from './uuid.ts';
