import { setTimeout as delay } from 'node:timers/promises';
import type { FleetClient } from '@muster/contracts/client';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import { Denial, follow } from '../bus/follow.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type Participant, readParticipants } from '../fleet/participants.ts';
import { openFleet } from '../fleet/read-fleet.ts';
import { renderParticipants, renderStandingChange } from '../render/participants.ts';
import { formatInstant } from '../render/time.ts';
import type { Terminal } from '../terminal.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface HostsOptions extends JsonOptions {
  readonly follow?: true;
}

/** Heartbeats come every 2 s, jittered by a quarter: whoever lives is heard within this. */
const LISTEN_MS = 3_000;
const LOOK_EVERY_MS = 250;

export function addHosts(program: Command, act: Act): void {
  addReader(
    program,
    'hosts',
    'show hosts, probers and dashboards: heard or not, age, version, clock, round trip',
    'Listens to the heartbeats of hosts, probers and dashboards for 3 s, asks each agent once, and shows how they stand. Who is not heard is unknown, with the age of its last word. SKEW is how far its clock is ahead of this machine’s. With -f it goes on with each change, until Ctrl-C.',
  )
    .option('-f, --follow', 'go on with who falls silent and who is back')
    .addHelpText('after', examples('muster hosts', 'muster hosts -f', 'muster hosts --json | jq .hosts'))
    .action(act(hosts));
}

async function hosts({ json, follow: isFollowing, ...flags }: HostsOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const denial = new Denial();
  await using bus = await connect(settings, OPERATOR, signal, denial.tell);
  using fleet = await openFleet(bus, settings.actor, { buckets: ['status'] }, signal);
  terminal.note(`muster: listening for ${LISTEN_MS / 1_000} s`);
  await delay(LISTEN_MS, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) return EXIT.ok;
  const participants = await readParticipants(fleet, Date.now(), signal);
  if (json) terminal.printJson({ asOf: new Date().toISOString(), hosts: participants });
  else terminal.print(...renderParticipants(participants, terminal.paint));
  if (!isFollowing) return EXIT.ok;
  const timer = setInterval(standingChanges(fleet, participants, json === true, terminal), LOOK_EVERY_MS);
  try {
    await follow(bus, terminal, denial.signal, signal);
  } finally {
    clearInterval(timer);
  }
  return EXIT.ok;
}

/** A look that prints what has changed since the one before. */
function standingChanges(
  fleet: FleetClient,
  participants: readonly Participant[],
  isJson: boolean,
  terminal: Terminal,
): () => void {
  const last = new Map(participants.map(({ kind, id, state }) => [`${kind} ${id}`, state]));
  return () => {
    const { hosts, probers, dashboards } = fleet.snapshot();
    for (const { kind, id, isAlive, ageMs } of [
      ...hosts.map((standing) => ({ ...standing, kind: 'host' as const, id: standing.host })),
      ...probers.map((standing) => ({ ...standing, kind: 'prober' as const, id: standing.prober })),
      ...dashboards.map((standing) => ({ ...standing, kind: 'dashboard' as const, id: standing.dashboard })),
    ]) {
      const state = isAlive ? 'heard' : 'unknown';
      if ((last.get(`${kind} ${id}`) ?? 'unknown') === state) continue;
      last.set(`${kind} ${id}`, state);
      const time = new Date().toISOString();
      const change: Participant = { kind, id, state, ...(ageMs !== undefined && { ageMs: Math.round(ageMs) }) };
      if (isJson) terminal.printJson({ time, ...change });
      else terminal.print(renderStandingChange(change, formatInstant(time), terminal.paint));
    }
  };
}
