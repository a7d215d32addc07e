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
export * from './errors.ts';
export {
  type BusTrust,
  clusterPassword,
  credentialsFile,
  ForeignCredentialsError,
  type Identity,
  KeyFileError,
  leafCredentialsFile,
  type MintedKeys,
  type MintOptions,
  mintKeys,
} from './keys.ts';
export { NatsBus, openBus } from './nats-bus.ts';
export {
  type ClusterOptions,
  CONTROL_LINE_BYTES,
  type LeafServerOptions,
  leafServerConfig,
  type NatsServerOptions,
  natsServerConfig,
  requiredStoreBytes,
  type ServerAddress,
  writeNatsServerConfig,
  writeServerConfig,
} from './nats-config.ts';
export { Outbox, type OutboxDelivery, type OutboxOptions } from './outbox.ts';
export { LAYOUT_VERSION, SetupError, type SetupOptions, type SetupReport, setupBus } from './setup.ts';
export { uuidv7 } from './uuid.ts';
