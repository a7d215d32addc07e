import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { buildFilter, permissionsFor, type RetentionChanges, rows } from '@muster/contracts';
import {
  inspectConsumers,
  inspectStore,
  inspectStreams,
  isApiStrict,
  measureClockOffset,
} from '@muster/contracts/admin';
import { type Bus, NoStreamError, notGranted, readCredentialClaims, StoreRefusedError } from '@muster/contracts/bus';
import type { Command } from 'commander';
import { connect, credentialsOf, OPERATOR } from '../bus/connect.ts';
import { readRetentionOf } from '../bus/retention.ts';
import { type BusFacts, judgeBus } from '../check/bus-check.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { renderFindings } from '../render/findings.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

/** Heartbeats come every 2 s, jittered by a quarter: whoever lives is heard within this. */
const LISTEN_MS = 3_000;

export function addBusCheck(bus: Command, act: Act): void {
  addReader(
    bus,
    'check',
    'look whether the bus is as it must be, and say what to do where it is not',
    'Connects and looks: the version of the server and whether it is good for where it listens, the size of messages, what these credentials allow against what their role needs, JetStream, each stream and bucket with its copies, what waits at the agents that are heard within 3 s, and the clocks. With the credentials of an admin also how far behind each reader of a stream is. It changes nothing. Exit code 1 when there is a problem.',
  )
    .addHelpText(
      'after',
      examples(
        'muster bus check',
        'muster bus check --creds .muster/keys/agent-web1.creds',
        'muster bus check --creds .muster/keys/admin-setup.creds',
        'muster bus check --json | jq -r \'.findings[] | select(.level == "problem") | .remedy\'',
      ),
    )
    .action(act(check));
}

async function check({ json, ...flags }: JsonOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const retention = await readRetentionOf(settings, terminal);
  await using bus = await connect(settings, OPERATOR, signal);
  const credentials = await readFile(credentialsOf(settings, OPERATOR), 'utf8');
  const [facts, backlogs] = await Promise.all([gather(bus, credentials, retention), listenToAgents(bus, signal)]);

  const findings = judgeBus({ ...facts, backlogs }, Date.now());
  if (json) terminal.printJson({ server: facts.server, findings });
  else terminal.print(...renderFindings(findings, terminal.paint));
  return findings.some(({ level }) => level === 'problem') ? EXIT.failed : EXIT.ok;
}

async function gather(bus: Bus, credentials: string, retention: RetentionChanges): Promise<Omit<BusFacts, 'backlogs'>> {
  const { environment, role, id } = bus;
  const needed = permissionsFor(environment, role, id);
  const mayAskStore = notGranted(needed.publish, ['$JS.API.INFO']).length === 0;
  // The first answer pays for what both sides load for it.
  await bus.roundTripMs();
  // The least of three is the way; what is longer was this machine's own business.
  const roundTripMs = Math.min(await bus.roundTripMs(), await bus.roundTripMs(), await bus.roundTripMs());
  const store = mayAskStore ? await inspectStore(bus).catch(ifNoJetStream) : undefined;
  const { server } = bus;
  if (server === undefined) throw new CliError('busUnreachable', 'the bus went away during the check: run it again');
  return {
    server,
    roundTripMs,
    identity: `${role}/${id}`,
    claims: readCredentialClaims(credentials),
    needed,
    mayAskStore,
    store,
    isApiStrict: store === undefined ? undefined : await isApiStrict(bus).catch(() => undefined),
    streams: store === undefined ? [] : await inspectStreams(bus, retention),
    consumers: store === undefined ? undefined : await inspectConsumers(bus),
    clockOffsetMs: store === undefined ? undefined : await measureClockOffset(bus).catch(ifNoJetStream),
  };
}

/** How many events wait at each agent that is heard; `undefined` for a role that may not hear them. */
async function listenToAgents(bus: Bus, signal: AbortSignal): Promise<ReadonlyMap<string, number> | undefined> {
  const { environment, role, id } = bus;
  const heartbeats = buildFilter(environment, rows.hostPresence.template);
  if (notGranted(permissionsFor(environment, role, id).subscribe, [heartbeats]).length > 0) return undefined;
  const backlogs = new Map<string, number>();
  bus.subscribe(rows.hostPresence, {}, ({ backlog }, { host }) => void backlogs.set(host, backlog));
  await delay(LISTEN_MS, undefined, { signal });
  return backlogs;
}

/** There is none, or a cluster without most of its servers. */
function ifNoJetStream(error: unknown): undefined {
  if (error instanceof NoStreamError || error instanceof StoreRefusedError) return undefined;
  throw error;
}
