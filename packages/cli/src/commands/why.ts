import type { StatusFile } from '@muster/contracts';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { findInstances, storedOf } from '../fleet/find-instances.ts';
import { fleetOf, fromOwnFile } from '../fleet/own-file.ts';
import { openFleet, readFleet } from '../fleet/read-fleet.ts';
import type { WhyReading } from '../fleet/reading.ts';
import { isMatch, parseTarget, resolveTarget, type Target } from '../fleet/target.ts';
import { renderWhy } from '../render/why.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

export function addWhy(program: Command, act: Act): void {
  addReader(
    program,
    'why',
    'explain how a service came to be in its state',
    'Prints the chain behind a service: each transition with its time, reason, exit, restarts and causes. While the bus is away, the status file of this host answers for its own services.',
  )
    .argument('<service>', 'rag-api, web1/rag-api or web1/rag-api.0')
    .addHelpText('after', examples('muster why rag-api', 'muster why web1/rag-api.0 --json'))
    .action(act(why));
}

async function why(text: string, { json, ...flags }: JsonOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const name = parseTarget(text);
  const readFromBus = async (): Promise<readonly WhyReading[]> => {
    await using bus = await connect(settings, OPERATOR, signal);
    const { target } = await findInstances(bus, settings.actor, name, signal);
    using fleet = await openFleet(bus, settings.actor, storedOf(target.host, 'status', 'health'), signal);
    const { source, asOf, instances } = await readFleet(fleet, target, Date.now(), signal);
    return await Promise.all(
      instances.map(async (instance) => {
        const { events } = await fleet.why(instance.status, signal);
        return { source, asOf, instance, events };
      }),
    );
  };
  const readings = await readFromBus().catch((error: unknown) =>
    fromOwnFile(error, settings, terminal, (file) => chainsOf(file, name)),
  );
  const nowMs = Date.now();
  if (json) for (const reading of readings) terminal.printJson(reading);
  else {
    const { paint } = terminal;
    terminal.print(
      ...readings.flatMap((reading, at) => [...(at === 0 ? [] : ['']), ...renderWhy(reading, nowMs, paint)]),
    );
  }
  return EXIT.ok;
}

function chainsOf(file: StatusFile, target: Target): WhyReading[] {
  const { source, asOf, instances } = fleetOf(file);
  const resolved = resolveTarget(
    target,
    instances.map(({ status }) => status),
  );
  return instances
    .filter(({ status }) => isMatch(resolved, status))
    .map((instance) => ({
      source,
      asOf,
      instance,
      events: file.recentEvents.filter((event) => isMatch(instance.status, event)),
    }));
}
