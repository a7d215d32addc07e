import type { Exit } from '../core/exit.ts';

/** One running copy of a service on this host. */
export interface InstanceKey {
  readonly agentId: string;
  readonly service: string;
  readonly instance: number;
}

/** Whom a service runs as, with no other group and no capability. Its shim and its records stay the agent's. */
export interface RunUser {
  readonly uid: number;
  readonly gid: number;
}

/** What to run: everything resolved, nothing left to look up. */
export interface RunSpec extends InstanceKey {
  /** Higher for each run of the instance; part of the tag that every process of the run carries. */
  readonly generation: number;
  /** A list is run as it stands, without a shell; a string is run by `sh -c`. */
  readonly command: readonly string[] | string;
  /** Searched by the agent's own right: another user may be put into a folder that it could not reach. */
  readonly cwd: string;
  /** Absent: the agent's. */
  readonly user?: RunUser;
  /** The whole environment of the service, `PATH` included; only the tag is added. */
  readonly environment: Readonly<Record<string, string>>;
  readonly specHash: string;
  /** Which rights its files lack when they are made; default: the agent's. */
  readonly umask?: number;
  /** What it prints is appended to them; they are made with their folders when missing. */
  readonly logFiles: { readonly stdout: string; readonly stderr: string };
  /** The port that must be free again before a stop counts as done. */
  readonly port?: number;
}

/** One way to run services. Calls for different instances may overlap; for one instance they must not. */
export interface Driver extends AsyncDisposable {
  /**
   * Starts one run. Stops what is left of dead runs of this instance first; refuses, as a value, while one is alive
   * or while something bears the instance's tag that no record explains.
   */
  start(spec: RunSpec, signal: AbortSignal): Promise<Run | StartFailed>;
  /**
   * What became of the last run of this instance while no agent looked. Never starts anything; what a dead run left
   * behind is stopped. Gives the same `RunEnded` again until the next start. Rejects only when `signal` aborts.
   */
  recover(instance: InstanceKey, signal: AbortSignal): Promise<Run | RunEnded | NothingFound | Orphan>;
  /** Makes the next `start` of exactly this spec fast. Costs two idle shells; failing is harmless and silent. */
  prepare?(spec: RunSpec): Promise<void>;
  /** Lets go of everything; services go on. What was prepared but not started ends. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** One live (or just ended) run. */
export interface Run {
  readonly kind: 'run';
  readonly generation: number;
  /** The main process: also the id of its session and process group. */
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: with the boot id and the pid, the identity of the process. */
  readonly startTimeTicks: number;
  readonly specHash: string;
  /** Milliseconds of CLOCK_MONOTONIC (`monotonicNowMs`), which survives the agent but not the boot. */
  readonly startedAtMs: number;
  /** How the main process ended. Settles once, never rejects. */
  readonly exited: Promise<Exit>;
  /** Sends a signal to the process group and to members of the tree that left it. No-op when nothing is left. */
  signalTree(signal: NodeJS.Signals): Promise<void>;
  /** SIGKILL to the whole tree, again until nothing is left that could fork. */
  killTree(): Promise<void>;
  /**
   * Settles when nothing of the tree is left and the declared port is free. When `signal` aborts first it rejects with
   * a `TreeRemains` that says what is left.
   */
  treeGone(signal: AbortSignal): Promise<void>;
  /** The pids of the whole tree, at most about a second old. Looks at every process: not for each tick of the metrics. */
  pids(): readonly number[];
}

/** Nothing was started. The driver knows whether trying again can help; the restart policy decides whether to. */
export interface StartFailed {
  readonly kind: 'start-failed';
  readonly isRetryable: boolean;
  readonly reason: string;
}

/** The last run ended while nobody looked. */
export interface RunEnded {
  readonly kind: 'run-ended';
  readonly generation: number;
  readonly specHash: string;
  readonly exit: Exit;
}

/** No record of a run and no process of it. */
export interface NothingFound {
  readonly kind: 'nothing-found';
}

/** Something of this instance is alive and no record proves what it is: touch nothing, start nothing. */
export interface Orphan {
  readonly kind: 'orphan';
  readonly reason: string;
  readonly pids: readonly number[];
}

/** A tree was not gone when its caller stopped waiting. The message says what is left. */
export class TreeRemains extends Error {
  override readonly name = 'TreeRemains';
}

/** For messages: `'api'` or, for further copies, `'api' (instance 2)`. */
export function describeInstance({ service, instance }: InstanceKey): string {
  return instance === 0 ? `service '${service}'` : `service '${service}' (instance ${instance})`;
}
