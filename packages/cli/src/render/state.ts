import type { ExitStatus, InstanceStateName, VerdictName } from '@muster/contracts';
import type { Tone } from './paint.ts';

const STATES: Readonly<Record<InstanceStateName, { readonly glyph: string; readonly tone: Tone }>> = {
  pending: { glyph: '◌', tone: 'warn' },
  starting: { glyph: '◐', tone: 'warn' },
  running: { glyph: '●', tone: 'good' },
  backoff: { glyph: '↻', tone: 'bad' },
  stopping: { glyph: '◑', tone: 'warn' },
  stopped: { glyph: '■', tone: 'dim' },
  completed: { glyph: '✓', tone: 'good' },
  failed: { glyph: '✗', tone: 'bad' },
  orphaned: { glyph: '!', tone: 'bad' },
  unknown: { glyph: '?', tone: 'warn' },
};

/** Glyph and word: the state is told without colour too. */
export function stateCell(state: InstanceStateName): { text: string; tone: Tone } {
  const { glyph, tone } = STATES[state];
  return { text: `${glyph} ${state}`, tone };
}

const VERDICT_TONES: Readonly<Record<VerdictName, Tone>> = {
  healthy: 'good',
  degraded: 'warn',
  partial: 'warn',
  unhealthy: 'bad',
  unknown: 'dim',
};

export function verdictCell(verdict: VerdictName | undefined): { text: string; tone: Tone } {
  return verdict === undefined ? { text: '-', tone: 'dim' } : { text: verdict, tone: VERDICT_TONES[verdict] };
}

/** `code 1`, `SIGKILL`, or that nobody was left to learn it. */
export function formatExit({ code, signal, known }: ExitStatus): string {
  if (!known) return 'code unknown';
  return signal ?? `code ${code ?? 'unknown'}`;
}
