import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { isAlive, killIfAlive } from './is-alive.ts';

/** A live process that an agent started. */
export interface TaggedProcess {
  readonly pid: number;
  /** `<service>/<instance>/<generation>`. */
  readonly tag: string;
}

/** Every live process that agents with this state directory have started, by the tag in its environment. */
export function taggedProcesses(stateDir: string): Promise<readonly TaggedProcess[]> {
  return processesWith(stateDir, /(?:^|\0)MUSTER_RUN=([^\0]+)/);
}

async function processesWith(stateDir: string, pattern: RegExp): Promise<readonly TaggedProcess[]> {
  const agentId = (await readFile(join(stateDir, 'agent-id'), 'utf8').catch(() => '')).trim();
  if (agentId === '') return [];
  const found: TaggedProcess[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !isAlive(pid)) continue;
    const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    const tag = pattern.exec(environ)?.[1];
    if (tag?.startsWith(`${agentId}/`) === true) found.push({ pid, tag: tag.slice(agentId.length + 1) });
  }
  return found;
}

/**
 * Ends all of them with SIGKILL, also those that are born meanwhile, and their shims: those would wait for ever to hear that what
 * their services printed was read, for who would tell them finds their folders gone.
 */
export async function killTagged(stateDir: string): Promise<void> {
  await eventually(
    async () => {
      const left = await processesWith(stateDir, /(?:^|\0)MUSTER_(?:RUN|SHIM)=([^\0]+)/);
      for (const { pid } of left) killIfAlive(pid);
      return left.length === 0;
    },
    { message: 'an end of all processes of the system' },
  );
}
