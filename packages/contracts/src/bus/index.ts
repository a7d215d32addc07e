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
export { type CredentialClaims, notGranted, readCredentialClaims } from './credentials.ts';
export * from './errors.ts';
export { FloodMeter, type FlowLimit } from './flood-meter.ts';
export { type Pulse, startHeartbeat } from './heartbeat.ts';
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
export { keysDigest } from './keys-digest.ts';
export { limitProblems, type ToldProblem } from './limit-problems.ts';
export { messageIdOf } from './message-id.ts';
export { NatsBus, openBus, type ServerFacts } from './nats-bus.ts';
export { Outbox, type OutboxDelivery, type OutboxOptions, type WaitingMessage } from './outbox.ts';
export { attemptToStore, type StoreAttempt } from './store-attempt.ts';
export { type Credentials, parseCredentials } from './trust/credentials-file.ts';
export type { PersonClaims } from './trust/person.ts';
export { followRevocations, publishRevocations } from './trust/publish-revocations.ts';
export type { Offered, SignedRevocations } from './trust/revocations.ts';
export { uuidv7 } from './uuid.ts';
