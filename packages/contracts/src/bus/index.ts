export type {
  Bus,
  BusCounters,
  BusOptions,
  BusProblem,
  ConnectionEvent,
  HistoryOptions,
  KnownRevocations,
  KvBucket,
  KvHandlers,
  OrderedOptions,
  PushedMessage,
  ReadOptions,
  RequestOptions,
  StoredMessage,
  StoreState,
  Subscription,
} from './bus.ts';
export {
  CA_LIFETIME_DAYS,
  CERTIFICATE_LIFETIME_DAYS,
  type CertificateOptions,
  type FurtherServer,
  furtherServersIn,
  isCertifiedFor,
  type MintedCertificates,
  mintCertificates,
  RENEW_BEFORE_DAYS,
  serverTlsFiles,
} from './certificates.ts';
export { ConnectionLoads, type IdentityLoad } from './connection-loads.ts';
export { type CredentialClaims, notGranted, readCredentialClaims } from './credentials.ts';
export * from './errors.ts';
export { FloodMeter, type FlowLimit } from './flood-meter.ts';
export { FAULTS, type Fault, type ImproperAnswer } from './improper-question.ts';
export {
  followIncarnation,
  type IncarnationOptions,
  type IncarnationQuestions,
  type IncarnationReport,
  raised,
  readIncarnation,
  readIncarnationFile,
  type StoreMark,
  setUpIncarnation,
  writeIncarnation,
} from './incarnation.ts';
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
export {
  type BusTrust,
  clusterPassword,
  credentialsFile,
  ForeignCredentialsError,
  type Identity,
  identitiesIn,
  KeyFileError,
  leafCredentialsFile,
  type MintedKeys,
  type MintOptions,
  mintKeys,
  publicKeyIn,
} from './keys.ts';
export { keysDigest } from './keys-digest.ts';
export { limitProblems, type ToldProblem } from './limit-problems.ts';
export { messageIdOf } from './message-id.ts';
export { NatsBus, openBus, type ServerFacts } from './nats-bus.ts';
export {
  type ClusterOptions,
  CONTROL_LINE_BYTES,
  type LeafServerOptions,
  type Listener,
  leafServerConfig,
  type NatsServerOptions,
  natsServerConfig,
  requiredStoreBytes,
  type ServerAddress,
  writeNatsServerConfig,
  writeServerConfig,
} from './nats-config.ts';
export { setUpObservers } from './observer-consumers.ts';
export { oldFile } from './old-file.ts';
export { Outbox, type OutboxDelivery, type OutboxOptions, type WaitingMessage } from './outbox.ts';
export {
  copyProgramKeys,
  EMBEDDED_SERVER,
  PROGRAM_IDENTITIES,
  type ProgramName,
  programFolder,
  writeEmbeddedServerFiles,
} from './program-files.ts';
export { type KnownServices, knownServices, type PurgedStore, purgeInvented, purgeMonitor } from './purge-host.ts';
export { PushError, type PushOptions, pushAccount } from './push-account.ts';
export { beginRotation, finishRotation, type Rotatable, RotationError, replaceOperator } from './rotate.ts';
export { SetupError, type SetupReport, setupBus } from './setup.ts';
export { attemptToStore, type StoreAttempt } from './store-attempt.ts';
export { type Overfull, type SenderWrites, StoredLoads, type StoreLook } from './stored-loads.ts';
export { isApiStrict } from './strict-api.ts';
export { tlsFilesBeside } from './tls.ts';
export { type Credentials, parseCredentials } from './trust/credentials-file.ts';
export type { PersonClaims } from './trust/person.ts';
export { followRevocations, publishRevocations } from './trust/publish-revocations.ts';
export type { Offered } from './trust/revocations.ts';
export {
  RevokeError,
  type RevokeOptions,
  ROOT_KEY_FILE,
  readRevocations,
  revoke,
  type SignedRevocations,
} from './trust/revoke.ts';
export { uuidv7 } from './uuid.ts';
export { LAYOUT_VERSION, type SetupOptions } from './wanted-streams.ts';
