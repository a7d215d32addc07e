/**
 * What connects an agent to the bus: the connection itself, as far as this agent may speak for its host, and what waits on
 * disk for it.
 */
import path from 'node:path';
import { type Bus, limitProblems, Outbox, uuidv7 } from '@muster/contracts/bus';
import { busServers } from '@muster/contracts/config';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config/agent-config.ts';
import type { AgentIdentity } from '../state/agent-identity.ts';
import { ClaimedBus } from './claimed-bus.ts';
import { Envelopes } from './envelopes.ts';
import { HostTakenError } from './host-taken-error.ts';

export interface BusSide {
  readonly envelopes: Envelopes;
  readonly claim: ClaimedBus;
  readonly bus: Bus;
  /** Of events nothing may be lost. */
  readonly outbox: Outbox;
  /** Of metrics the oldest may: no event ever makes room for them. */
  readonly metricsOutbox: Outbox;
}

export interface BusSideOptions {
  readonly config: AgentConfig;
  readonly identity: AgentIdentity;
  readonly logger: Logger;
  /** Another agent speaks for this host, or would like to. */
  readonly onHostTaken: (reason: string) => void;
  /** So many messages were given up for want of room. */
  readonly onGap: (reason: string, lost: number) => void;
  readonly onDelivered: (eventId: string) => void;
  /** It looks as if the bus had gone back in time. */
  readonly onGoneBack: () => Promise<void> | void;
}

/** What waits on disk for the bus, at most. */
const OUTBOX_BYTES = 64 * 1024 * 1024;
/** Of complete chunks of metrics, beside that: some days of a host with 50 services. */
const METRICS_OUTBOX_BYTES = 16 * 1024 * 1024;
/** So long a start waits for a bus elsewhere to say whether the host is taken. Services must not wait longer for it. */
const CLAIM_TIMEOUT_MS = 1_000;

/** @throws HostTakenError when another agent on this machine speaks for this host */
export async function openBusSide(options: BusSideOptions): Promise<BusSide> {
  const { config, identity, logger, onGap, onDelivered, onGoneBack } = options;
  const envelopes = new Envelopes(config.host, identity.epoch);
  const claim = await openClaimedBus(envelopes, options);
  const { bus } = claim;
  const outbox = await Outbox.open({
    directory: path.join(config.stateDir, 'outbox'),
    bus,
    maxBytes: OUTBOX_BYTES,
    onGap: (lost) => onGap(`${lost} events were given up: ${OUTBOX_BYTES} bytes waited for the bus`, lost),
    onDelivered: ({ id }) => onDelivered(id),
    onProblem: (error) => logger.warn({ reason: error.message }, 'events'),
    onGoneBack,
  });
  const metricsOutbox = await Outbox.open({
    directory: path.join(config.stateDir, 'metrics-outbox'),
    bus,
    maxBytes: METRICS_OUTBOX_BYTES,
    onGap: (lost) => onGap(`${lost} chunks of metrics were given up: ${METRICS_OUTBOX_BYTES} bytes waited`, lost),
    onProblem: (error) => logger.warn({ reason: error.message }, 'history of metrics'),
    onGoneBack,
  });
  return { envelopes, claim, bus, outbox, metricsOutbox };
}

/** What the last agent on this directory could not write down. */
export function tellLost({ outbox, metricsOutbox }: BusSide, onGap: BusSideOptions['onGap']): void {
  const told = (what: string) => (lost: number) =>
    onGap(`${lost} ${what} were lost with the last agent: its disk was full`, lost);
  outbox.tellLost(told('events'));
  metricsOutbox.tellLost(told('chunks of metrics'));
}

async function openClaimedBus(envelopes: Envelopes, options: BusSideOptions): Promise<ClaimedBus> {
  const { config, identity, logger, onHostTaken } = options;
  const { agentId, bootId, epoch } = identity;
  const claim = new ClaimedBus({
    servers: busServers(config.bus.url),
    ...(config.bus.credsFile !== undefined && { credentialsFile: config.bus.credsFile }),
    ...(config.bus.tls !== undefined && { tls: config.bus.tls }),
    environment: config.environment,
    role: 'agent',
    id: config.host,
    revocationsFile: path.join(config.stateDir, 'revocations.signed'),
    onProblem: limitProblems((problem) => logger.warn({ problem }, 'bus')),
    self: { claimant: uuidv7(), agentId, bootId, epoch },
    envelopes,
    onTaken: onHostTaken,
    onRival: onHostTaken,
  });
  if (config.bus.isExternal) await claim.settled(AbortSignal.timeout(CLAIM_TIMEOUT_MS));
  if (claim.rival?.bootId === bootId) {
    await claim[Symbol.asyncDispose]();
    throw new HostTakenError(config.host, claim.rival);
  }
  return claim;
}
