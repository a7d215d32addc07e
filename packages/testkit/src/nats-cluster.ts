import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** One server of a cluster, as its configuration must name it. All listen on 127.0.0.1. */
export interface ClusterNode {
  /** `n1`, `n2`… */
  readonly name: string;
  readonly port: number;
  readonly clusterPort: number;
  /** Of all servers of the cluster, this one included. */
  readonly clusterPorts: readonly number[];
  readonly storeDir: string;
}

/** Real nats-servers that know each other. Disposing stops all and removes their data. */
export interface NatsCluster extends AsyncDisposable {
  readonly nodes: readonly (ClusterNode & { readonly server: NatsServer })[];
  readonly urls: readonly string[];
}

/** Starts `size` servers, each with the configuration that `configOf` writes for it. They elect their leader afterwards. */
export async function startNatsCluster(
  size: number,
  configOf: (node: ClusterNode) => Promise<string>,
): Promise<NatsCluster> {
  const home = await temporaryDirectory();
  const clusterPorts = await Promise.all(Array.from({ length: size }, freePort));
  const nodes: (ClusterNode & { readonly server: NatsServer })[] = [];
  const dispose = async (): Promise<void> => {
    for (const { server } of nodes) await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  };
  try {
    for (const [index, clusterPort] of clusterPorts.entries()) {
      const name = `n${index + 1}`;
      const port = await freePort();
      const node = { name, port, clusterPort, clusterPorts, storeDir: join(home.path, name) };
      const config = await configOf(node);
      nodes.push({ ...node, server: await startNatsServer({ config, port, storeDir: node.storeDir }) });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { nodes, urls: nodes.map(({ server }) => server.url), [Symbol.asyncDispose]: dispose };
}
