import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { notFound, storedOf } from '../fleet/find-instances.ts';
import { fleetOf, fromOwnFile } from '../fleet/own-file.ts';
import { openFleet, readFleet } from '../fleet/read-fleet.ts';
import type { FleetReading } from '../fleet/reading.ts';
import { explainMissing, isMatch, parseTarget, type Target } from '../fleet/target.ts';
import { renderStatus, statusJson } from '../render/status.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

export function addStatus(program: Command, act: Act): void {
  addReader(
    program,
    'status',
    'show hosts and services: state, health, age, restarts',
    'Shows hosts and services. Each agent is asked; what does not answer is unknown, with the age of its last word. While the bus is away, the status file of this host answers for its own services.',
  )
    .argument('[service]', 'only this one: rag-api, web1/rag-api or web1/rag-api.0')
    .addHelpText('after', examples('muster status', 'muster status rag-api', 'muster status --json | jq .instances'))
    .action(act(status));
}

async function status(text: string | undefined, { json, ...flags }: JsonOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const target = text === undefined ? undefined : parseTarget(text);
  const readFromBus = async (): Promise<FleetReading> => {
    await using bus = await connect(settings, OPERATOR, signal);
    using fleet = await openFleet(bus, settings.actor, storedOf(target?.host, 'status', 'health'), signal);
    const reading = await readFleet(fleet, target, Date.now(), signal);
    for (const [host, count] of fleet.snapshot().excess) {
      terminal.note(`muster: not all of host '${host}' is shown: ${count} entries are more than are taken of one host`);
    }
    if (target !== undefined && reading.instances.length === 0) {
      throw await notFound(bus, settings.actor, target, signal);
    }
    return reading;
  };
  const reading = await readFromBus().catch((error: unknown) =>
    fromOwnFile(error, settings, terminal, (file) => narrow(fleetOf(file), target)),
  );
  const nowMs = Date.now();
  if (json) terminal.printJson(statusJson(reading, nowMs));
  else terminal.print(...renderStatus(reading, nowMs, terminal.paint));
  return EXIT.ok;
}

function narrow(own: FleetReading, target: Target | undefined): FleetReading {
  if (target === undefined) return own;
  const instances = own.instances.filter((reading) => isMatch(target, reading.status));
  if (instances.length === 0) {
    throw new CliError(
      'notFound',
      explainMissing(
        target,
        own.instances.map((reading) => reading.status),
      ),
    );
  }
  return { ...own, instances };
}
