export {
  CERTIFICATE_LIFETIME_DAYS,
  furtherServersIn,
  isCertifiedFor,
  mintCertificates,
  RENEW_BEFORE_DAYS,
  serverTlsFiles,
} from './certificates.ts';
export { writeEmbeddedServerFiles } from './embedded-server.ts';
export { type Identity, identitiesIn } from './identities.ts';
export { clusterPassword, KeyFileError, leafCredentialsFile, publicKeyIn } from './key-files.ts';
export { type BusTrust, type MintOptions, mintKeys } from './mint.ts';
export {
  CONTROL_LINE_BYTES,
  type Listener,
  leafServerConfig,
  type NatsServerOptions,
  natsServerConfig,
  type ServerAddress,
  writeNatsServerConfig,
  writeServerConfig,
} from './nats-config.ts';
export { ROOT_KEY_FILE, readRevocations, revoke } from './revoke.ts';
export { beginRotation, finishRotation, type Rotatable, replaceOperator } from './rotate.ts';
