export { type Bus, openBus, type ServerFacts } from './bus.ts';
export { type CredentialClaims, notGranted, readCredentialClaims } from './credentials.ts';
export * from './errors.ts';
export { FloodMeter, type FlowLimit } from './flood-meter.ts';
export { type Pulse, startHeartbeat } from './heartbeat.ts';
export { FAULTS, type Fault, type ImproperAnswer } from './improper-question.ts';
export {
  followIncarnation,
  type IncarnationQuestions,
  raised,
  readIncarnation,
  readIncarnationFile,
  type StoreMark,
  setUpIncarnation,
  writeIncarnation,
} from './incarnation.ts';
export { keysDigest } from './keys-digest.ts';
export type { KvBucket } from './kv.ts';
export { limitProblems } from './limit-problems.ts';
export { messageIdOf } from './message-id.ts';
export { Outbox, type OutboxOptions, type WaitingMessage } from './outbox.ts';
export { attemptToStore } from './store-attempt.ts';
export { type Credentials, parseCredentials } from './trust/credentials-file.ts';
export type { PersonClaims } from './trust/person.ts';
export { followRevocations, publishRevocations } from './trust/publish-revocations.ts';
export type { SignedRevocations } from './trust/revocations.ts';
export type {
  BusCounters,
  BusOptions,
  BusProblem,
  HistoryOptions,
  ReadOptions,
  RequestOptions,
  Subscription,
} from './types.ts';
export { uuidv7 } from './uuid.ts';
