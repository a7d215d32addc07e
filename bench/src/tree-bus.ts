import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Contracts from '@muster/contracts';
import type * as AdminModule from '@muster/contracts/admin';
import type * as BusModule from '@muster/contracts/bus';
import type * as FilesModule from '@muster/contracts/files';
import type * as KeysModule from '@muster/contracts/keys';
import { startNatsServer } from '@muster/testkit';
import { publishInOrder } from './bench-bus.ts';

/** The wire and the bus of one checkout, this one or another that is built. */
interface Tree {
  readonly contracts: typeof Contracts;
  readonly bus: typeof BusModule & typeof AdminModule & typeof FilesModule & typeof KeysModule;
}

/** A server with keys as one checkout makes them, and what is measured there. */
export interface TreeBus extends AsyncDisposable {
  /** So many questions of an operator's to an agent, one after the other; `MAX_QUESTIONS` at most. */
  ask(count: number): Promise<void>;
  /** So many messages into their stream, each behind the one before it on its subject. */
  publish(count: number): Promise<void>;
}

const ENVIRONMENT = 'bench';
const HOST = 'web1';
const AGENT = { role: 'agent', id: HOST } as const;
/** One asks at each call: an agent answers so many of one asker's in a row, and then only some each second. */
const OPERATORS = Array.from({ length: 16 }, (_, index) => ({ role: 'operator' as const, id: `ada${index}` }));
export const MAX_QUESTIONS = 900;
const ADMIN = { role: 'admin', id: 'setup' } as const;
const SERVICES = Array.from({ length: 256 }, (_, index) => `service-${index}`);
const ORDER = { services: SERVICES, host: HOST, reason: 'exited with code 1: '.padEnd(1_000, 'x') };
const TIMEOUT_MS = 30_000;

async function loadTree(rootDir: string): Promise<Tree> {
  const load = async <T>(file: string): Promise<T> =>
    (await import(pathToFileURL(path.join(rootDir, 'packages/contracts/dist', file)).href)) as T;
  const doors = ['bus', 'admin', 'files', 'keys'].map((door) => `${door}/index.js`);
  // Another version may have fewer doors, with the same behind them.
  const present = doors.filter((door) => existsSync(path.join(rootDir, 'packages/contracts/dist', door)));
  const bus = Object.assign({}, ...(await Promise.all(present.map((door) => load<object>(door))))) as Tree['bus'];
  return { contracts: await load('index.js'), bus };
}

export async function startTreeBus(rootDir: string, signal: AbortSignal): Promise<TreeBus> {
  const { contracts, bus } = await loadTree(rootDir);
  const directory = mkdtempSync(path.join(tmpdir(), 'muster-bench-tree-'));
  const storeDir = path.join(directory, 'jetstream');
  const minting = { directory, environment: ENVIRONMENT, identities: [AGENT, ...OPERATORS, ADMIN] };
  const { trust } = await bus.mintKeys(minting);
  const listener = { environment: ENVIRONMENT, host: '127.0.0.1', port: 4222, storeDir, trust };
  const server = await startNatsServer({ config: bus.natsServerConfig(listener), storeDir });
  const open = async (identity: KeysModule.Identity) => {
    const opened = bus.openBus({
      servers: server.url,
      credentialsFile: bus.credentialsFile(directory, identity),
      environment: ENVIRONMENT,
      ...identity,
    });
    await opened.connected(signal);
    return opened;
  };
  const admin = await open(ADMIN);
  await bus.setupBus(admin);
  const agent = await open(AGENT);
  const operators = await Promise.all(OPERATORS.map(open));
  let calls = 0;
  const envelope = () => ({ id: bus.uuidv7(), time: new Date().toISOString(), source: `agent/${HOST}` });
  agent.respond(contracts.commands.outcome, { host: HOST }, async ({ id }) => ({
    ...envelope(),
    commandId: id,
    accepted: true,
    code: 'ok' as const,
    reason: '',
    outcome: 'unknown' as const,
  }));
  await agent.flush();
  const lastSeq = new Map<string, number>();
  return {
    async ask(count) {
      const operator = operators[calls++ % operators.length] as BusModule.Bus;
      for (let asked = 0; asked < count; asked += 1) {
        const question = { ...envelope(), source: `operator/${operator.id}`, actor: 'user/ada', of: 'none' };
        await operator.request(contracts.commands.outcome, { host: HOST }, question, { timeoutMs: TIMEOUT_MS, signal });
      }
    },
    publish: (count) => publishInOrder(agent, { ...ORDER, row: contracts.rows.instanceEvent, count, lastSeq }),
    async [Symbol.asyncDispose]() {
      await Promise.all([admin, agent, ...operators].map((one) => one.drain()));
      await server[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
