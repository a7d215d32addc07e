import { parseShown } from '@muster/contracts/printable';
import type { Action, CommandAccepted, ErrorBody, ServiceRow, WhyAnswer } from '../../server/protocol/index.ts';

/** What the person is told about a command. */
export interface CommandResult {
  readonly isAccepted: boolean;
  readonly title: string;
  readonly text: string;
}

/** The page waits for its server no longer than the server waits for an agent. */
const TIMEOUT_MS = 20_000;

const VERB: Readonly<Record<Action, string>> = { start: 'Start', stop: 'Stop', restart: 'Restart' };

export async function sendCommand(row: ServiceRow, action: Action): Promise<CommandResult> {
  const title = (what: string) => `${VERB[action]} of ${row.service} ${what}`;
  try {
    const response = await fetch(`/api/services/${row.host}/${row.service}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ instance: row.instance }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) {
      const { reason } = parseShown(await response.text()) as CommandAccepted;
      return { isAccepted: true, title: title('accepted'), text: reason };
    }
    const { error } = parseShown(await response.text()) as ErrorBody;
    return { isAccepted: false, title: title(WHAT_BECAME[error.outcome ?? 'failed']), text: error.message };
  } catch {
    return {
      isAccepted: false,
      title: title('not answered'),
      text: 'The dashboard did not answer; it may have been carried out.',
    };
  }
}

const WHAT_BECAME = {
  refused: 'refused',
  undelivered: 'not delivered',
  unknown: 'not answered',
  failed: 'failed',
} as const;

/** @throws Error with a sentence for people */
export async function fetchWhy(row: ServiceRow, signal: AbortSignal): Promise<WhyAnswer> {
  const response = await fetch(`/api/services/${row.host}/${row.service}/why?instance=${row.instance}`, { signal });
  if (response.ok) return parseShown(await response.text()) as WhyAnswer;
  const { error } = parseShown(await response.text()) as ErrorBody;
  throw new Error(error.message);
}
