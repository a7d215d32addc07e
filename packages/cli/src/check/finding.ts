export type Level = 'ok' | 'warning' | 'problem';

/** One line of a check: what was looked at, how it is, and what to do about it. */
export interface Finding {
  readonly check: string;
  readonly level: Level;
  readonly text: string;
  readonly remedy?: string;
}

export function ok(check: string, text: string): Finding {
  return { check, level: 'ok', text };
}

export function warning(check: string, text: string, remedy?: string): Finding {
  return { check, level: 'warning', text, ...(remedy !== undefined && { remedy }) };
}

export function problem(check: string, text: string, remedy: string): Finding {
  return { check, level: 'problem', text, remedy };
}
