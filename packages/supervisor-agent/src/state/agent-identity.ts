/** Who this agent is: random id, boot, network namespace, and the number of this start. */
import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { nextEpoch } from '@muster/contracts';
import { readIfPresent, replaceFile } from '@muster/contracts/files';
import { readBootId } from '../drivers/process/proc.ts';

export interface AgentIdentity {
  /** Random, made once for a state directory: several agents live on one machine. */
  readonly agentId: string;
  readonly bootId: string;
  /** Inode of the network namespace, or empty where it cannot be read. */
  readonly networkNamespace: string;
  /** One start of the agent: larger than every one before. */
  readonly epoch: number;
}

const AGENT_ID = /^[a-z0-9]{8,32}$/;

/** There is a file for the id, and no id in it. */
export class AgentIdError extends Error {
  constructor(file: string) {
    super(
      `'${file}' holds no agent id (8 to 32 of a-z0-9). Restore it; if no service of this agent runs any more, delete it and a new id is made`,
    );
    this.name = 'AgentIdError';
  }
}

/**
 * Reads or makes the id, and counts this start. `formerId`: what the last agent on this directory called itself; it counts
 * when the file is lost or spoilt, for under a new id whatever still runs would be started a second time.
 * @throws AgentIdError when the file is spoilt and nobody knows the id
 */
export function readIdentity(stateDir: string, formerId: string | undefined): AgentIdentity {
  return {
    agentId: readAgentId(path.join(stateDir, 'agent-id'), formerId),
    bootId: readBootId(),
    networkNamespace: readNetworkNamespace(),
    epoch: beginEpoch(path.join(stateDir, 'epoch')),
  };
}

function readAgentId(file: string, formerId: string | undefined): string {
  const text = readIfPresent(file);
  const saved = text?.trim() ?? '';
  if (AGENT_ID.test(saved)) return saved;
  const isKnown = formerId !== undefined && AGENT_ID.test(formerId);
  if (text !== undefined && !isKnown) throw new AgentIdError(file);
  const made = isKnown ? formerId : randomBytes(8).toString('hex');
  replaceFile(file, `${made}\n`);
  return made;
}

/** Larger than every one before, also when the file is lost or the clock was set back. */
function beginEpoch(file: string): number {
  const saved = Number(readIfPresent(file)?.trim() ?? 0);
  const last = Number.isSafeInteger(saved + 1) ? saved : 0;
  const epoch = nextEpoch(last, Math.floor(Date.now() / 1_000));
  replaceFile(file, `${epoch}\n`);
  return epoch;
}

/** `net:[4026531840]` → `4026531840`. */
function readNetworkNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? '';
  } catch {
    return '';
  }
}
