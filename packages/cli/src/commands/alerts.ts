import { type AlertEvent, rows } from '@muster/contracts';
import { type AlertGap, followAlerts } from '@muster/contracts/client';
import type { Command } from 'commander';
import { connect, OPERATOR } from '../bus/connect.ts';
import { Denial, follow } from '../bus/follow.ts';
import type { Act, Context, ExitCode } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { openFleet } from '../fleet/read-fleet.ts';
import { byUrgency, isCurrent, renderAlertLine, renderAlerts } from '../render/alerts.ts';
import { addReader, examples, type JsonOptions } from './options.ts';

interface AlertsOptions extends JsonOptions {
  readonly follow?: true;
}

export function addAlerts(program: Command, act: Act): void {
  addReader(
    program,
    'alerts',
    'show the current alerts, or follow what comes',
    'Shows the current alerts. With -f it prints each change of an alert from now on, until Ctrl-C; with --json one CloudEvents 1.0 document on a line.',
  )
    .option('-f, --follow', 'print alerts as they come')
    .addHelpText(
      'after',
      examples(
        'muster alerts',
        'muster alerts -f',
        'muster alerts -f --json | while read -r alert; do notify-send "$alert"; done',
        'muster alerts -f --creds .muster/keys/observer-alerts.creds',
      ),
    )
    .action(act(alerts));
}

async function alerts({ json, follow: isFollowing, ...flags }: AlertsOptions, context: Context): Promise<ExitCode> {
  const { terminal, signal } = context;
  const settings = context.readSettings(flags);
  const denial = new Denial();
  await using bus = await connect(settings, OPERATOR, signal, denial.tell);
  if (isFollowing) {
    const onAlert = (alert: AlertEvent) => {
      if (json) terminal.printJson(alert);
      else terminal.print(renderAlertLine(alert, terminal.paint));
    };
    // To an observer the bus brings also what fired while it was away.
    if (bus.role === 'observer') followAlerts(bus, { onAlert, onGap: (gap) => terminal.note(gapNote(gap)) });
    else bus.subscribe(rows.alert, {}, onAlert);
    await follow(bus, terminal, denial.signal, signal);
    return EXIT.ok;
  }
  using fleet = await openFleet(bus, settings.actor, { buckets: ['alerts'], senders: [] }, signal);
  const current = [...fleet.snapshot().alerts.values()].filter(isCurrent).sort(byUrgency);
  if (json) terminal.printJson(current);
  else terminal.print(...renderAlerts(current, Date.now(), terminal.paint));
  return EXIT.ok;
}

function gapNote({ afterSeq, reason }: AlertGap): string {
  return `muster: alerts behind number ${afterSeq} may be missing here: no prober could be asked for them: ${reason}`;
}
