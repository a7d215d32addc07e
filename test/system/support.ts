import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type InstanceEvent, rows, StatusFile } from '@muster/contracts';
import { type Bus, openBus } from '@muster/contracts/bus';
import { readStat } from '@muster/contracts/process';
import {
  eventually,
  type FixtureProcess,
  findNatsServer,
  freePort,
  isAlive,
  MusterSystem,
  type MusterSystemOptions,
  startNodeFixture,
  temporaryDirectory,
} from '@muster/testkit';
import { stringify } from 'yaml';

/** Text of services.yaml; entries are as written there. */
export function servicesYaml(...services: readonly Readonly<Record<string, unknown>>[]): string {
  return stringify({ services });
}

/** The text with other port numbers, by the ones that stand there. */
export function withPorts(text: string, ports: ReadonlyMap<number, number>): string {
  return text.replaceAll(/\b\d{4,5}\b/g, (port) => String(ports.get(Number(port)) ?? port));
}

/** A command that is a shell script; `$1`… are the arguments. */
export function shell(script: string, ...args: readonly string[]): string[] {
  return ['sh', '-c', script, 'fixture', ...args];
}

/** The bus runs and has its streams; prober and dashboard may still be on their way. */
export async function waitForBus(system: MusterSystem): Promise<void> {
  await system.waitFor('bus-setup', ({ state }) => state === 'completed');
}

/** The bus of the system as one of its own identities sees it, connected. */
export async function connect(system: MusterSystem, role: Bus['role'] = 'operator', id = 'cli'): Promise<Bus> {
  const bus = openBus({
    servers: system.busUrl,
    credentialsFile: system.credentials(`${role}-${id}`),
    environment: system.environment,
    role,
    id,
  });
  await bus.connected(AbortSignal.timeout(60_000));
  return bus;
}

/** What the agent itself remembers of one service's transitions, oldest first. */
export async function recentEvents(system: MusterSystem, service: string): Promise<readonly InstanceEvent[]> {
  const text = await readFile(path.join(system.stateDir, 'status.json'), 'utf8');
  return StatusFile.parse(JSON.parse(text)).recentEvents.filter((event) => event.service === service);
}

/** The stream's events of one service, oldest first, once `isComplete` says so. */
export function storedEvents(
  bus: Bus,
  host: string,
  service: string,
  isComplete: (events: readonly InstanceEvent[]) => boolean,
): Promise<readonly InstanceEvent[]> {
  let last: readonly InstanceEvent[] = [];
  return eventually(
    async () => {
      last = (await bus.history(rows.instanceEvent, { host, service })).map(({ message }) => message);
      return isComplete(last) ? last : undefined;
    },
    { timeoutMs: 60_000, message: `the events of ${service} in the stream` },
  ).catch((error: unknown) => {
    const seen = last.map(({ from, to, reason }) => `${from} -> ${to}: ${reason}`).join('\n');
    throw new Error(`${String(error)}\n${seen}`, { cause: error });
  });
}

/** The lines of a file; none while there is no such file. */
export async function linesOf(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Kills with -9 and waits until it is dead. */
export async function killHard(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await eventually(() => !isAlive(pid), { message: `the end of pid ${pid}` });
}

/** The parent of a process, by the kernel's word. */
export function parentOf(pid: number): number {
  const parent = readStat(pid)?.parentId;
  if (parent === undefined) throw new Error(`there is no pid ${pid}`);
  return parent;
}

/** The clone that these tests belong to. */
export const ROOT_DIR = path.resolve(import.meta.dirname, '../..');

/** A system with directories, configuration and keys, whose agent is not started yet, or is the launcher's to start. */
export async function prepareSystem(options: MusterSystemOptions = {}): Promise<MusterSystem> {
  const system = new MusterSystem(await temporaryDirectory(), options, await freePort(), await freePort());
  await system.prepare();
  return system;
}

/** `scripts/launcher.mjs` on the directories of a prepared system. Disposing kills it, and its agent then lets go. */
export async function startLauncher(system: MusterSystem): Promise<FixtureProcess> {
  return startNodeFixture(path.join(ROOT_DIR, 'scripts/launcher.mjs'), [], {
    cwd: ROOT_DIR,
    env: { ...environmentOf(system), MUSTER_NATS_SERVER: await findNatsServer() },
    detached: true,
  });
}

/** The environment of the system's programs, without what is not set. */
export function environmentOf(system: MusterSystem): Record<string, string> {
  const isSet = (entry: readonly [string, string | undefined]): entry is [string, string] => entry[1] !== undefined;
  return Object.fromEntries(Object.entries(system.env).filter(isSet));
}

/** The agent that holds the state directory. */
export async function agentPidOf(system: MusterSystem): Promise<number> {
  const holder = JSON.parse(await readFile(path.join(system.stateDir, 'agent.lock'), 'utf8')) as { pid: number };
  return holder.pid;
}
