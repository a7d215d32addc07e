/*
 * Hosts that share nothing but a network that can be cut.
 *
 *   host a ── eth0 ~~ port-0 ──┐
 *   host b ── eth0 ~~ port-1 ──┴── bridge, in a namespace of its own (the switch)
 *
 * Each host is a network namespace with a loopback of its own; processes are put into it by `command`. All of it is inside
 * namespaces, so the machine's own interfaces, routes and rules are never touched. Names carry the pid of who made them:
 * what a killed run left behind is removed by the next one.
 */
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isRoot } from './accounts.ts';
import { eventually } from './eventually.ts';
import { type FixtureProcess, startFixture } from './fixture-process.ts';
import { isAlive, killIfAlive } from './is-alive.ts';
import { startTcpFaults, type TcpFaults } from './tcp-faults.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const run = promisify(execFile);

const PREFIX = 'muster-test';
const NAMESPACES_DIR = '/run/netns';
const SUBNET = '10.77.0';
const DOOR = join(import.meta.dirname, '../fixtures/door.mjs');
const TOOLS = ['ip', 'nsenter', 'nft', 'ss'] as const;

let made = 0;

/** Why there can be no test network here; `undefined` when there can. */
export function whyNoTestNetwork(): string | undefined {
  if (!isRoot) return 'needs root for network namespaces';
  const missing = TOOLS.filter((tool) => !canRun(tool));
  return missing.length > 0 ? `needs ${missing.join(', ')}: apt-get install iproute2 nftables` : undefined;
}

function canRun(tool: string): boolean {
  try {
    execFileSync(tool, ['-V'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** Needs what `whyNoTestNetwork` asks for. */
export async function startTestNetwork(names: readonly string[]): Promise<TestNetwork> {
  await removeLeftOvers();
  const network = new TestNetwork(`${PREFIX}-${process.pid}-${made++}`);
  try {
    await network.build(names);
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
  return network;
}

/** Of runs that were killed. */
async function removeLeftOvers(): Promise<void> {
  for (const namespace of namespaces()) {
    const pid = Number(new RegExp(`^${PREFIX}-(\\d+)-`).exec(namespace)?.[1]);
    if (pid > 0 && !isAlive(pid)) await removeNamespace(namespace).catch(() => {});
  }
}

function namespaces(): readonly string[] {
  try {
    return readdirSync(NAMESPACES_DIR);
  } catch {
    return [];
  }
}

async function removeNamespace(namespace: string): Promise<void> {
  await eventually(
    async () => {
      const { stdout } = await run('ip', ['netns', 'pids', namespace]);
      const pids = stdout.split('\n').filter((line) => line !== '');
      for (const pid of pids) killIfAlive(Number(pid));
      return pids.every((pid) => !isAlive(Number(pid)));
    },
    { message: `an end of everything in ${namespace}` },
  );
  await run('ip', ['netns', 'delete', namespace]);
}

/** Hosts on one switch. Disposing removes them, and ends whatever still runs on them. */
export class TestNetwork implements AsyncDisposable {
  readonly #name: string;
  readonly #hosts = new Map<string, TestHost>();

  constructor(name: string) {
    this.#name = name;
  }

  host(name: string): TestHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`there is no host '${name}' in this network`);
    return host;
  }

  async build(names: readonly string[]): Promise<void> {
    const hub = `${this.#name}-switch`;
    await run('ip', ['netns', 'add', hub]);
    await run('ip', ['-n', hub, 'link', 'add', 'br0', 'type', 'bridge']);
    await run('ip', ['-n', hub, 'link', 'set', 'br0', 'up']);
    for (const [index, name] of names.entries()) {
      const host = new TestHost({ name, index, namespace: `${this.#name}-${name}`, hub });
      this.#hosts.set(name, host);
      await host.build();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts.values()) await host.closeDoors();
    for (const namespace of namespaces()) {
      if (namespace.startsWith(`${this.#name}-`)) await removeNamespace(namespace);
    }
  }
}

interface Place {
  readonly name: string;
  readonly index: number;
  readonly namespace: string;
  /** The switch's namespace. */
  readonly hub: string;
}

/** One host of a test network. */
export class TestHost {
  readonly name: string;
  readonly address: string;
  readonly #namespace: string;
  readonly #hub: string;
  /** Of the switch. */
  readonly #port: string;
  readonly #doors: AsyncDisposable[] = [];

  constructor({ name, index, namespace, hub }: Place) {
    this.name = name;
    this.address = `${SUBNET}.${index + 1}`;
    this.#namespace = namespace;
    this.#hub = hub;
    this.#port = `port-${index}`;
  }

  async build(): Promise<void> {
    const inside = ['-n', this.#namespace];
    await run('ip', ['netns', 'add', this.#namespace]);
    await run('ip', [...inside, 'link', 'set', 'lo', 'up']);
    const pair = ['type', 'veth', 'peer', 'name', this.#port, 'netns', this.#hub];
    await run('ip', ['link', 'add', 'eth0', 'netns', this.#namespace, ...pair]);
    await run('ip', ['-n', this.#hub, 'link', 'set', this.#port, 'master', 'br0', 'up']);
    await run('ip', [...inside, 'addr', 'add', `${this.address}/24`, 'dev', 'eth0']);
    await run('ip', [...inside, 'link', 'set', 'eth0', 'up']);
  }

  /** A command line that runs the given one on this host. The process keeps its pid: `nsenter` becomes it. */
  command(program: string, ...args: readonly string[]): readonly [string, ...string[]] {
    return within(this.#namespace, program, ...args);
  }

  /** Pulls the plug: nothing passes, and nobody is told. */
  async cut(): Promise<void> {
    await run('ip', ['-n', this.#hub, 'link', 'set', this.#port, 'down']);
  }

  /** Plugs it in again, and lets pass what was dropped. */
  async heal(): Promise<void> {
    await run('ip', ['-n', this.#hub, 'link', 'set', this.#port, 'up']);
    await this.#nft(`add table bridge ${this.#table}; delete table bridge ${this.#table};`);
  }

  /** At the switch, what this host sends is lost, and what is sent to it arrives; or the other way round. */
  async drop(direction: 'from' | 'to'): Promise<void> {
    const side = direction === 'from' ? 'iifname' : 'oifname';
    const rule = `${side} "${this.#port}" drop;`;
    await this.#nft(`table bridge ${this.#table} { chain forward { type filter hook forward priority 0; ${rule} }; };`);
  }

  /** Every TCP connection of this host ends at once, for both sides. */
  async killConnections(): Promise<void> {
    const [command, ...args] = this.command('ss', '--kill', '--tcp', 'state', 'connected');
    await run(command, args);
  }

  /** A way in from the test's own process, with faults of its own: its port on 127.0.0.1 is `targetPort` on this host. */
  async open(targetPort: number, targetAddress = this.address): Promise<TcpFaults> {
    const home = await temporaryDirectory();
    const socketPath = join(home.path, 'door');
    const [command, ...args] = this.command(process.execPath, DOOR, socketPath, targetAddress, String(targetPort));
    const door: FixtureProcess = await startFixture(command, args);
    this.#doors.push(home, door);
    await door.line('open');
    const faults = await startTcpFaults({ path: socketPath });
    this.#doors.push(faults);
    return faults;
  }

  async closeDoors(): Promise<void> {
    for (const door of this.#doors.splice(0).reverse()) await door[Symbol.asyncDispose]();
  }

  get #table(): string {
    return this.#port.replace('-', '_');
  }

  async #nft(rules: string): Promise<void> {
    const [command, ...args] = within(this.#hub, 'nft', rules);
    await run(command, args);
  }
}

function within(namespace: string, program: string, ...args: readonly string[]): readonly [string, ...string[]] {
  return ['nsenter', `--net=${join(NAMESPACES_DIR, namespace)}`, program, ...args];
}
