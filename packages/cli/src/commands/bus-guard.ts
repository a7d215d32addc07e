import type { Command } from 'commander';
import { ADMIN, open } from '../bus/connect.ts';
import { readRetentionOf } from '../bus/retention.ts';
import type { Flags } from '../config.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Guard } from '../guard/guard.ts';
import { parseDurationMs } from '../option-values.ts';
import { examples } from './options.ts';

interface GuardOptions extends Flags {
  /** In ms. */
  readonly wait: number;
}

export function addBusGuard(bus: Command, act: Act): void {
  bus
    .command('guard')
    .summary('keep the bus within its bounds: make lost streams again, cut off who floods')
    .description(
      'Looks every second, until Ctrl-C or TERM, whether every stream and bucket is there and as it must be, and makes again what is not; and what each identity brings. Who brings more than any program has to is cut off, and what it has invented is purged. Runs with npm start; elsewhere run it where the keys of the bus are. Without them nobody is cut off: it is told, and purged.',
    )
    .option('--wait <time>', 'how long to wait for the server', parseDurationMs, 30_000)
    .addHelpText('after', examples('muster bus guard', 'muster bus guard --url tls://10.0.0.5:4222'))
    .action(act(guard));
}

async function guard({ wait: waitMs, ...flags }: GuardOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  await using bus = await open(settings, ADMIN, waitMs, signal);
  terminal.note(`muster: guards the bus at ${settings.servers.join(', ')}`);
  await using guarding = await Guard.start({
    settings,
    readRetention: () => readRetentionOf(settings, terminal),
    bus,
    say: (line) => terminal.note(`muster: ${line}`),
  });
  await guarding.run(signal);
  return EXIT.ok;
}
