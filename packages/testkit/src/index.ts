export { isRoot, NOBODY } from './accounts.ts';
export { type EventuallyOptions, eventually } from './eventually.ts';
export { findChromium, findPython } from './find-program.ts';
export {
  type FixtureExit,
  type FixtureOptions,
  type FixtureProcess,
  fixtureEnvironment,
  startFixture,
  startNodeFixture,
  startShellFixture,
} from './fixture-process.ts';
export { freePort } from './free-port.ts';
export { isAlive, killIfAlive } from './is-alive.ts';
export { type InstanceFacts, MusterSystem, type MusterSystemOptions, startMusterSystem } from './muster-system.ts';
export { type ClusterNode, type NatsCluster, startNatsCluster } from './nats-cluster.ts';
export { findNatsServer, type NatsServer, type NatsServerOptions, startNatsServer } from './nats-server.ts';
export { type SeededRandom, seededRandom } from './seeded-random.ts';
export { type SmallDisk, startSmallDisk, whyNoSmallDisk } from './small-disk.ts';
export { killTagged, type TaggedProcess, taggedProcesses } from './tagged-processes.ts';
export { startTcpFaults, type TcpFaults } from './tcp-faults.ts';
export { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.ts';
export { startTestNetwork, type TestHost, type TestNetwork, whyNoTestNetwork } from './test-network.ts';
