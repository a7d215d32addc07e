export { ConnectionLoads, type IdentityLoad } from './connection-loads.ts';
export {
  type ConsumerInspection,
  type CopyInspection,
  inspectConsumers,
  inspectStore,
  inspectStreams,
  measureClockOffset,
  type StoreInspection,
  type StreamInspection,
} from './inspection.ts';
export { setUpObservers } from './observer-consumers.ts';
export { type KnownServices, knownServices, type PurgedStore, purgeInvented, purgeMonitor } from './purge-host.ts';
export { PushError, type PushOptions, pushAccount } from './push-account.ts';
export { SetupError, type SetupReport, setupBus } from './setup.ts';
export { type Overfull, type SenderWrites, StoredLoads, type StoreLook } from './stored-loads.ts';
export { isApiStrict } from './strict-api.ts';
export { LAYOUT_VERSION, requiredStoreBytes, type SetupOptions } from './wanted-streams.ts';
