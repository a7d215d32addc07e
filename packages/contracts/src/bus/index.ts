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
  ReadOptions,
  RequestOptions,
  StoredMessage,
  Subscription,
} from './bus.ts';
export * from './errors.ts';
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
export { NatsBus, openBus } from './nats-bus.ts';
export {
  CONTROL_LINE_BYTES,
  type NatsServerOptions,
  natsServerConfig,
  requiredStoreBytes,
  writeNatsServerConfig,
} from './nats-config.ts';
export { Outbox, type OutboxDelivery, type OutboxOptions } from './outbox.ts';
export { LAYOUT_VERSION, SetupError, type SetupOptions, type SetupReport, setupBus } from './setup.ts';
export { attemptToStore, type StoreAttempt } from './store-attempt.ts';
export { uuidv7 } from './uuid.ts';
