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
export { writeEmbeddedServerFiles } from './embedded-server.ts';
export { type Identity, identitiesIn } from './identities.ts';
export {
  clusterPassword,
  ForeignCredentialsError,
  KeyFileError,
  leafCredentialsFile,
  publicKeyIn,
} from './key-files.ts';
export { type BusTrust, type MintedKeys, type MintOptions, mintKeys } from './mint.ts';
export {
  type ClusterOptions,
  CONTROL_LINE_BYTES,
  type LeafServerOptions,
  type Listener,
  leafServerConfig,
  type NatsServerOptions,
  natsServerConfig,
  type ServerAddress,
  writeNatsServerConfig,
  writeServerConfig,
} from './nats-config.ts';
export {
  RevokeError,
  type RevokeOptions,
  ROOT_KEY_FILE,
  readRevocations,
  revoke,
} from './revoke.ts';
export { beginRotation, finishRotation, type Rotatable, RotationError, replaceOperator } from './rotate.ts';
