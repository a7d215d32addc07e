import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { explain } from './explain.ts';
import { gatedTo } from './gate.ts';
import { PhaseClock } from './phase-clock.ts';
import type { ProbeResult } from './result.ts';
import type { TargetOf } from './target.ts';

/** As much of a body is read; by then the status has long been known, and an endless one must not hold the probe. */
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * One GET on a new connection; an answer with the right status is a success. Certificates are verified. Redirects are answers: they
 * are not followed.
 */
export async function probeHttp(target: TargetOf<'http'>, signal: AbortSignal): Promise<ProbeResult> {
  const clock = new PhaseClock();
  const url = URL.canParse(target.url) ? new URL(target.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    const detail = 'the address is not an http or https URL';
    return { status: 'unknown', reason: 'protocol', detail, ...clock.measure() };
  }
  try {
    const httpStatus = await exchange(url, target, clock, signal);
    return judge(httpStatus, target, clock);
  } catch (error) {
    return { ...explain(error, clock.step, signal), ...clock.measure() };
  }
}

/** Settles with the status once the whole body has come, or as much of it as is read. */
function exchange(url: URL, target: TargetOf<'http'>, clock: PhaseClock, signal: AbortSignal): Promise<number> {
  const isTls = url.protocol === 'https:';
  const options: RequestOptions & { ca?: string } = {
    // A pooled connection would hide that the listener is gone.
    agent: false,
    signal,
    headers: { 'User-Agent': 'muster-probe', Accept: '*/*' },
    ...(target.trustedCa !== undefined && { ca: target.trustedCa }),
    ...gatedTo(url.hostname.replace(/^\[|\]$/g, ''), target.gate),
  };
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(url, options);
    request.on('error', reject);
    request.on('socket', (socket) => clock.follow(socket, isTls));
    request.on('response', (response: IncomingMessage) => {
      clock.ended('processing');
      // Always there on a client's response.
      const status = response.statusCode ?? 0;
      let bytes = 0;
      response.on('error', reject);
      response.on('end', () => resolve(status));
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MAX_BODY_BYTES) return;
        resolve(status);
        request.destroy();
      });
    });
    request.end();
  });
}

function judge(httpStatus: number, { expectedStatus }: TargetOf<'http'>, clock: PhaseClock): ProbeResult {
  const measured = { httpStatus, ...clock.measure() };
  const isExpected =
    expectedStatus === undefined ? httpStatus >= 200 && httpStatus < 400 : httpStatus === expectedStatus;
  if (isExpected) return { status: 'up', ...measured };
  const detail = `HTTP status ${httpStatus}, expected ${expectedStatus ?? '200 to 399'}`;
  return { status: 'down', reason: 'status', detail, ...measured };
}
