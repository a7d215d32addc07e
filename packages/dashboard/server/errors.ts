import type { CommandCode } from '@muster/contracts';
import type { ErrorBody } from './protocol/page.ts';

/** Every way a request can fail: its stable code and its HTTP status. */
const ERRORS = {
  'bad-request': 400,
  'host-refused': 403,
  'origin-refused': 403,
  'not-an-owner': 403,
  'not-found': 404,
  'too-large': 413,
  'json-expected': 415,
  'too-many-viewers': 503,
  internal: 500,
  // Commands. Refused by the agent:
  'unknown-service': 404,
  'unknown-instance': 404,
  'system-service': 409,
  'wrong-state': 409,
  stale: 409,
  forbidden: 403,
  unsupported: 501,
  'agent-error': 502,
  refused: 409,
  // Never reached it, or reached it and was not answered:
  undelivered: 503,
  'outcome-unknown': 504,
} as const satisfies Record<string, number>;
export type ErrorCode = keyof typeof ERRORS;

/** How an agent's refusal is told over HTTP. `ok` and `unknown` are no refusals of ours to name. */
export const ERROR_OF_REFUSAL: Readonly<Record<CommandCode, ErrorCode>> = {
  ok: 'refused',
  unknown: 'refused',
  'unknown-service': 'unknown-service',
  'unknown-instance': 'unknown-instance',
  'system-service': 'system-service',
  'wrong-state': 'wrong-state',
  stale: 'stale',
  forbidden: 'forbidden',
  unsupported: 'unsupported',
  'bad-request': 'bad-request',
  internal: 'agent-error',
};

/** A failure that is the answer to a request. */
export class RequestError extends Error {
  readonly code: ErrorCode;
  readonly facts: Pick<ErrorBody['error'], 'outcome' | 'commandId'>;

  constructor(code: ErrorCode, message: string, facts: Pick<ErrorBody['error'], 'outcome' | 'commandId'> = {}) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
    this.facts = facts;
  }

  get status(): number {
    return ERRORS[this.code];
  }

  get body(): ErrorBody {
    return { error: { code: this.code, message: this.message, ...this.facts } };
  }
}

const CODE_OF_FASTIFY: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'json-expected',
  FST_ERR_CTP_BODY_TOO_LARGE: 'too-large',
};

/** Whatever was thrown, as an answer. What is not the caller's fault is not explained to the caller: it goes to the log. */
export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = code === undefined ? undefined : CODE_OF_FASTIFY[code];
  if (known !== undefined) return new RequestError(known, message ?? known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new RequestError(statusCode === 404 ? 'not-found' : 'bad-request', message ?? 'the request cannot be read');
  }
  return new RequestError('internal', 'the dashboard failed to answer; its log says why');
}
