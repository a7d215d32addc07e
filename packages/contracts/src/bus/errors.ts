import type { z } from 'zod';
import { withoutUserInfo } from '../bus-address.ts';

/** What went wrong, for code that must tell one kind from another. */
abstract class BusError extends Error {
  readonly subject: string;

  constructor(name: string, message: string, subject: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.subject = subject;
  }
}

/** The message does not fit its schema: a bug of the sender, found before anything was sent. */
export class InvalidMessageError extends BusError {
  readonly issues: readonly string[];

  constructor(subject: string, issues: readonly string[]) {
    super('InvalidMessageError', `cannot send '${subject}': ${issues.join('; ')}`, subject);
    this.issues = issues;
  }
}

export class MessageTooLargeError extends BusError {
  readonly bytes: number;
  readonly maxBytes: number;

  constructor(subject: string, bytes: number, maxBytes: number) {
    super(
      'MessageTooLargeError',
      `cannot send '${subject}': it has ${bytes} bytes, at most ${maxBytes} are allowed: cut it into parts`,
      subject,
    );
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** There is no connection, or it broke while waiting for the answer. */
export class BusAwayError extends BusError {
  /** It had been sent: whether it arrived is not known. */
  readonly isOutcomeUnknown: boolean;

  constructor(subject: string, isOutcomeUnknown: boolean, options?: ErrorOptions) {
    const what = isOutcomeUnknown ? 'the connection broke before the answer came' : 'the bus is away';
    super('BusAwayError', `cannot send '${subject}': ${what}`, subject, options);
    this.isOutcomeUnknown = isOutcomeUnknown;
  }
}

/** nats-server answers, but does not let us in, or we don't trust it. What it says goes into logs: passwords don't. */
export class BusRefusedError extends Error {
  readonly servers: readonly string[];
  readonly reason: string;
  /** What would do. */
  readonly advice: string;

  constructor(servers: readonly string[], reason: string, options: ErrorOptions & { readonly advice?: string } = {}) {
    const { advice = 'check the credentials', ...rest } = options;
    const shown = servers.map(withoutUserInfo);
    super(`cannot connect to the bus '${shown.join(', ')}': ${reason}: ${advice}`, rest);
    this.name = 'BusRefusedError';
    this.servers = shown;
    this.reason = reason;
    this.advice = advice;
  }
}

/** Nobody listens there: it was certainly not done. */
export class NoResponderError extends BusError {
  constructor(subject: string) {
    super('NoResponderError', `cannot ask '${subject}': nobody answers there`, subject);
  }
}

/** The time was over without an answer: whether it was done is not known. */
export class RequestTimeoutError extends BusError {
  readonly timeoutMs: number;

  constructor(subject: string, timeoutMs: number) {
    super('RequestTimeoutError', `no answer from '${subject}' within ${timeoutMs} ms: the outcome is unknown`, subject);
    this.timeoutMs = timeoutMs;
  }
}

/** An answer came that is not one. */
export class BadReplyError extends BusError {
  readonly reason: string;

  constructor(subject: string, reason: string) {
    super('BadReplyError', `cannot read the answer from '${subject}': ${reason}`, subject);
    this.reason = reason;
  }
}

/** The other side refused without having acted. */
export class RequestRefusedError extends BusError {
  readonly code: string;
  readonly reason: string;

  constructor(subject: string, code: string, reason: string) {
    super('RequestRefusedError', `'${subject}' refused: ${reason} (${code})`, subject);
    this.code = code;
    this.reason = reason;
  }
}

/** These credentials may not do this. */
export class PermissionDeniedError extends BusError {
  constructor(subject: string) {
    super('PermissionDeniedError', `not allowed to publish to '${subject}' with these credentials`, subject);
  }
}

/** Without a grant nobody would believe what has to be signed, so it was not sent. */
export class NoGrantError extends BusError {
  readonly reason: string;

  constructor(verb: 'ask' | 'publish on' | 'vouch for', subject: string, reason: string) {
    super('NoGrantError', `cannot ${verb} '${subject}': ${reason}`, subject);
    this.reason = reason;
  }
}

/** The stream's last message of this subject is another than expected; nothing was stored. */
export class WrongLastSequenceError extends BusError {
  readonly expected: number;
  /** 0 when the stream has none. */
  readonly actual: number;

  constructor(subject: string, expected: number, actual: number) {
    super(
      'WrongLastSequenceError',
      `cannot append to '${subject}': its last sequence is ${actual}, expected ${expected}`,
      subject,
    );
    this.expected = expected;
    this.actual = actual;
  }
}

/** No stream keeps this subject: the bus has not been set up, or JetStream is off. */
export class NoStreamError extends BusError {
  /** JetStream answered that it has no such stream; false when JetStream itself does not answer. */
  readonly isJetStreamThere: boolean;

  constructor(subject: string, isJetStreamThere = false) {
    super('NoStreamError', `cannot store '${subject}': no stream keeps it: run 'muster bus setup'`, subject);
    this.isJetStreamThere = isJetStreamThere;
  }
}

/** JetStream refused for a reason of its own: no room, no leader. */
export class StoreRefusedError extends BusError {
  readonly code: number;
  readonly reason: string;

  constructor(subject: string, code: number, reason: string) {
    super('StoreRefusedError', `cannot store '${subject}': ${reason} (${code})`, subject);
    this.code = code;
    this.reason = reason;
  }
}

/** `path: message`, at most five of them. */
export function issuesOf(error: z.ZodError): readonly string[] {
  return error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.') || 'message'}: ${message}`);
}
