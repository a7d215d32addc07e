import { messageOf, type ProbeReason } from '@muster/contracts';
import { ForbiddenAddressError } from './gate.ts';
import type { Step } from './phase-clock.ts';

/** Why a probe ended without an answer, and whether the target is to blame. */
export interface Explanation {
  readonly status: 'down' | 'unknown';
  readonly reason: ProbeReason;
  readonly detail: string;
}

const REASON_BY_CODE: Readonly<Record<string, ProbeReason>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EPROTO: 'tls',
};

const DOING: Readonly<Record<Step, string>> = {
  resolve: 'resolving the name',
  connect: 'connecting',
  tls: 'in the TLS handshake',
  processing: 'waiting for the answer',
  transfer: 'reading the answer',
};

/** Turns what a socket or request threw at `step` into a reason. What it can't name says nothing about the target. */
export function explain(error: unknown, step: Step, signal: AbortSignal): Explanation {
  if (signal.aborted) return explainAbort(step, signal);
  if (error instanceof ForbiddenAddressError) return { status: 'unknown', reason: 'forbidden', detail: error.message };
  // Several addresses were tried, each with its own error; a refusal is the plainest of them.
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reasons = errors.map((each) => reasonOf(each, step));
  const reason = reasons.includes('refused') ? 'refused' : (reasons.at(-1) ?? 'unknown');
  const detail = errors.map(messageOf).join('; ');
  return { status: reason === 'unknown' ? 'unknown' : 'down', reason, detail };
}

function explainAbort(step: Step, { reason }: AbortSignal): Explanation {
  const isTimeout = reason instanceof DOMException && reason.name === 'TimeoutError';
  return isTimeout
    ? { status: 'down', reason: 'timeout', detail: `the time was up while ${DOING[step]}` }
    : { status: 'unknown', reason: 'aborted', detail: `given up while ${DOING[step]}` };
}

function reasonOf(error: unknown, step: Step): ProbeReason {
  const { code = '', syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (syscall === 'getaddrinfo') return 'dns';
  const known = REASON_BY_CODE[code];
  if (known !== undefined) return known;
  if (code.startsWith('HPE_')) return 'protocol';
  // What else ends a handshake is the certificate: self-signed, expired, another name.
  return step === 'tls' ? 'tls' : 'unknown';
}
