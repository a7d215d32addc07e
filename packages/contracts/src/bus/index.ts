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
export { NatsBus, openBus } from './nats-bus.ts';
export { uuidv7 } from './uuid.ts';
