/**
 * Started as root, an agent runs the bus, the prober and the dashboard as users of their own: whoever breaks into what
 * listens or parses gets what that program has, and not the machine, nor the keys of the others.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@muster/contracts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { RunUser } from '../drivers/driver.ts';
import { findSetpriv, setprivLine } from '../drivers/process/setpriv.ts';
import { type Account, AccountError, ensureAccount } from './accounts.ts';
import { layOutProgram, layOutServer } from './program-folder.ts';
import { isRunnableBy } from './reachable.ts';

/** How one service is kept to what it needs. */
export interface Confinement {
  /** Whom it runs as; `undefined`: root, for that is configured. @throws Error when there is no such account */
  account(): Account | undefined;
  /** Puts in place what it needs on disk. Rejects with why that cannot be done. */
  prepare(): Promise<void>;
}

/** The programs as their users reach them. */
export interface ConfinedPrograms {
  readonly node: string;
  readonly natsServer: string;
}

export interface SystemConfinement {
  readonly programs: ConfinedPrograms;
  readonly services: ReadonlyMap<string, Confinement>;
}

export interface ConfinementOptions {
  readonly config: AgentConfig;
  /** The clone. */
  readonly rootDir: string;
  readonly natsServer: string;
  /** Something may be running from before. Then what is missing is for the next start of that program to tell. */
  readonly isResuming: boolean;
  readonly onMade: (account: string) => void;
}

const ROOT: RunUser = { uid: 0, gid: 0 };
const run = promisify(execFile);

/** @throws AccountError when one cannot be had, unless something may be running from before */
export async function confineSystem(options: ConfinementOptions): Promise<SystemConfinement> {
  const { config, rootDir, natsServer, isResuming, onMade } = options;
  const { stateDir, configDir, runAs } = config;
  const bus = new OwnUser(runAs.bus, onMade);
  const prober = new OwnUser(runAs.prober, onMade);
  const dashboard = new OwnUser(runAs.dashboard, onMade);
  // One after the other: only one may write /etc/passwd at a time.
  for (const user of [bus, prober, dashboard]) {
    if (isResuming) await user.find().catch(() => {});
    else await user.tryOut();
  }
  const isNodeOut = ![prober, dashboard].every((user) => isRunnableBy(process.execPath, user.ids));
  const isServerOut = path.isAbsolute(natsServer) && !isRunnableBy(natsServer, bus.ids);
  const program = (name: 'health-prober' | 'dashboard', user: OwnUser): [string, Confinement] => [
    name,
    {
      account: () => user.account(),
      prepare: async () => {
        await user.find();
        const node = isNodeOut ? process.execPath : undefined;
        await layOutProgram({ stateDir, configDir, rootDir, program: name, user: user.ids, node });
      },
    },
  ];
  const server: Confinement = {
    account: () => bus.account(),
    prepare: async () => {
      await bus.find();
      layOutServer(stateDir, bus.ids, isServerOut ? natsServer : undefined);
    },
  };
  return {
    programs: {
      node: isNodeOut ? './bin/node' : process.execPath,
      natsServer: isServerOut ? './nats-server' : natsServer,
    },
    services: new Map([['nats-server', server], program('health-prober', prober), program('dashboard', dashboard)]),
  };
}

/** An account by name, which may be root's. */
class OwnUser {
  readonly #name: string;
  readonly #onMade: (account: string) => void;
  #found: Account | undefined;

  constructor(name: string, onMade: (account: string) => void) {
    this.#name = name;
    this.#onMade = onMade;
  }

  /** Root's as long as it was not found. */
  get ids(): RunUser {
    return this.#found ?? ROOT;
  }

  /** @throws AccountError */
  account(): Account | undefined {
    if (this.#found === undefined) throw new AccountError(`there is no user '${this.#name}' to run it as`);
    return this.#found.uid === 0 ? undefined : this.#found;
  }

  /** @throws AccountError */
  async find(): Promise<void> {
    this.#found ??= await ensureAccount(this.#name, this.#onMade);
  }

  /** Finds it, and starts something as it: not every container lets root do that. @throws AccountError */
  async tryOut(): Promise<void> {
    await this.find();
    const account = this.account();
    if (account === undefined) return;
    const advice = 'or write run_as: root in agent.yaml, if this root may do nothing beyond its container';
    if (findSetpriv() === undefined) {
      throw new AccountError(
        `cannot run anything as '${this.#name}': there is no setpriv: install util-linux, ${advice}`,
      );
    }
    const [setpriv = '', ...drop] = setprivLine(account);
    try {
      await run(setpriv, [...drop, '/bin/sh', '-c', ':']);
    } catch (error) {
      const told = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      throw new AccountError(
        `cannot run anything as '${this.#name}' (uid ${account.uid}): ${told || messageOf(error)}: ` +
          `give this container the user ids and capabilities for that (setuid, setgid), ${advice}`,
        { cause: error },
      );
    }
  }
}
