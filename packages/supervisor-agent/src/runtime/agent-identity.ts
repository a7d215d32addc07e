/** Who this agent is: random id, boot, network namespace, and the number of this start. */
import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { readFileIfAny, replaceFile } from '../atomic-file.ts';
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

/** Reads or makes the id, and counts this start. */
export function readIdentity(stateDir: string): AgentIdentity {
  return {
    agentId: readAgentId(path.join(stateDir, 'agent-id')),
    bootId: readBootId(),
    networkNamespace: readNetworkNamespace(),
    epoch: nextEpoch(path.join(stateDir, 'epoch')),
  };
}

function readAgentId(file: string): string {
  const saved = readFileIfAny(file)?.trim();
  if (saved !== undefined && /^[a-z0-9]{8,32}$/.test(saved)) return saved;
  const made = randomBytes(8).toString('hex');
  replaceFile(file, `${made}\n`, { isDurable: true });
  return made;
}

/** Larger than every one before, also when the file is lost or the clock was set back. */
function nextEpoch(file: string): number {
  const saved = Number(readFileIfAny(file)?.trim() ?? 0);
  const last = Number.isSafeInteger(saved) ? saved : 0;
  const epoch = Math.max(last + 1, Math.floor(Date.now() / 1_000));
  replaceFile(file, `${epoch}\n`, { isDurable: true });
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
