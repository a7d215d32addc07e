import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { probe, probeHttp } from '@muster/probes';
import { describe, expect, test } from 'vitest';
import { freePort, listenHttp, listenHttps, listenTcp, mintCertificate } from './listeners.ts';

/** Far longer than any of these probes takes on a machine that is not stuck. */
const PATIENT_MS = 30_000;
const patient = () => AbortSignal.timeout(PATIENT_MS);

const target = (port: number, more: { expectedStatus?: number; trustedCa?: string; scheme?: string } = {}) => {
  const { scheme = 'http', ...rest } = more;
  return { kind: 'http', url: `${scheme}://127.0.0.1:${port}/health`, ...rest } as const;
};

describe('an answer', () => {
  test('is up, and its five phases add up to its duration', async () => {
    await using server = await listenHttp((_, response) => response.end('ok'));
    const result = await probe(target(server.port), patient());
    expect(result).toMatchObject({ status: 'up', httpStatus: 200 });
    const { resolveMs, connectMs, tlsMs, processingMs, transferMs } = result.phases;
    expect(resolveMs).toBe(0);
    expect(tlsMs).toBe(0);
    expect(connectMs).toBeGreaterThan(0);
    expect(processingMs).toBeGreaterThan(0);
    expect(connectMs + processingMs + transferMs).toBeCloseTo(result.durationMs, 6);
  });

  test('resolves a name in a phase of its own', async () => {
    await using server = await listenHttp((_, response) => response.end('ok'));
    const result = await probeHttp({ kind: 'http', url: `http://localhost:${server.port}/` }, patient());
    expect(result).toMatchObject({ status: 'up' });
    expect(result.phases.resolveMs).toBeGreaterThan(0);
  });

  test.each([
    [200, undefined, 'up'],
    [302, undefined, 'up'],
    [404, undefined, 'down'],
    [503, undefined, 'down'],
    [204, 204, 'up'],
    [200, 204, 'down'],
    [503, 503, 'up'],
  ] as const)('with status %i when %s is expected is %s', async (status, expectedStatus, verdict) => {
    await using server = await listenHttp((_, response) =>
      response.writeHead(status, { Location: '/elsewhere' }).end(),
    );
    const result = await probeHttp(
      target(server.port, expectedStatus === undefined ? {} : { expectedStatus }),
      patient(),
    );
    const detail = `HTTP status ${status}, expected ${expectedStatus ?? '200 to 399'}`;
    const explanation = verdict === 'down' ? { reason: 'status', detail } : {};
    expect(result).toMatchObject({ status: verdict, httpStatus: status, ...explanation });
  });

  test('that redirects is not followed', async () => {
    let requests = 0;
    await using server = await listenHttp((_, response) => {
      requests += 1;
      response.writeHead(301, { Location: '/health' }).end();
    });
    expect(await probeHttp(target(server.port), patient())).toMatchObject({ status: 'up', httpStatus: 301 });
    expect(requests).toBe(1);
  });

  test('with an endless body is read as far as the limit', async () => {
    await using server = await listenHttp((_, response) => {
      const chunk = Buffer.alloc(256 * 1024);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    });
    expect(await probeHttp(target(server.port), patient())).toMatchObject({ status: 'up', httpStatus: 200 });
  });
});

describe('a failure is a value', () => {
  test('refused', async () => {
    const result = await probeHttp(target(await freePort()), patient());
    expect(result).toMatchObject({ status: 'down', reason: 'refused' });
    expect(result.phases.processingMs).toBe(0);
  });

  test('a name that does not exist is dns', async () => {
    const result = await probeHttp({ kind: 'http', url: 'http://nohost.invalid/' }, patient());
    expect(result).toMatchObject({ status: 'down', reason: 'dns' });
  });

  test('a connection that is reset', async () => {
    await using server = await listenTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await probeHttp(target(server.port), patient())).toMatchObject({ status: 'down', reason: 'reset' });
  });

  test('a body cut short is reset', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
    await using server = await listenTcp((socket) => socket.once('data', () => socket.end(half)));
    const result = await probeHttp(target(server.port), patient());
    expect(result).toMatchObject({ status: 'down', reason: 'reset' });
  });

  test('what is no HTTP is protocol', async () => {
    await using server = await listenTcp((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    expect(await probeHttp(target(server.port), patient())).toMatchObject({ status: 'down', reason: 'protocol' });
  });

  test.each(['ftp://127.0.0.1/', 'not an address', ''])('the address %j says nothing about the target', async (url) => {
    expect(await probeHttp({ kind: 'http', url }, patient())).toMatchObject({ status: 'unknown', reason: 'protocol' });
  });
});

/** A deadline that passes a while after the test says that it has come so far, however long that took. */
class Deadline {
  readonly #over = new AbortController();
  readonly signal = this.#over.signal;

  async passesIn(ms: number): Promise<void> {
    await delay(ms);
    // Timers come first when both are due: what has arrived is read before.
    setImmediate(() => this.#over.abort(new DOMException('late', 'TimeoutError')));
  }
}

describe('the deadline', () => {
  test('passes while a silent server is waited for', async () => {
    const deadline = new Deadline();
    await using server = await listenTcp((socket) => socket.once('data', () => void deadline.passesIn(200)));
    const result = await probeHttp(target(server.port), deadline.signal);
    const detail = 'the time was up while waiting for the answer';
    expect(result).toMatchObject({ status: 'down', reason: 'timeout', detail });
    expect(result.phases.processingMs).toBeGreaterThan(100);
  });

  test('passes while a body drips: half an answer is no success', async () => {
    const deadline = new Deadline();
    await using server = await listenTcp((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        void deadline.passesIn(200);
      });
    });
    const result = await probeHttp(target(server.port), deadline.signal);
    const detail = 'the time was up while reading the answer';
    expect(result).toMatchObject({ status: 'down', reason: 'timeout', detail });
  });

  test('passes while a stopped process accepts and says nothing', async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('fixtures/http-server.mjs', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [port] = (await once(child.stdout, 'data')) as [Buffer];
      expect(await probeHttp(target(Number(port)), patient())).toMatchObject({ status: 'up' });
      child.kill('SIGSTOP');
      const result = await probeHttp(target(Number(port)), AbortSignal.timeout(300));
      expect(result).toMatchObject({ status: 'down', reason: 'timeout' });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  test('given up by the caller blames nobody', async () => {
    await using server = await listenTcp(() => undefined);
    const controller = new AbortController();
    const result = probeHttp(target(server.port), controller.signal);
    controller.abort();
    expect(await result).toMatchObject({ status: 'unknown', reason: 'aborted' });
  });

  test('already passed: nothing is asked', async () => {
    let requests = 0;
    await using server = await listenHttp((_, response) => {
      requests += 1;
      response.end();
    });
    const passed = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
    expect(await probeHttp(target(server.port), passed)).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(requests).toBe(0);
  });
});

describe('TLS', () => {
  test('with a trusted certificate is up, and the handshake has its phase', async () => {
    const certificate = await mintCertificate();
    await using server = await listenHttps(certificate, (_, response) => response.end('ok'));
    const result = await probeHttp(target(server.port, { scheme: 'https', trustedCa: certificate.cert }), patient());
    expect(result).toMatchObject({ status: 'up', httpStatus: 200 });
    expect(result.phases.tlsMs).toBeGreaterThan(0);
  });

  test('with a certificate that nobody vouches for is down', async () => {
    await using server = await listenHttps(await mintCertificate(), (_, response) => response.end('ok'));
    const result = await probeHttp(target(server.port, { scheme: 'https' }), patient());
    expect(result).toMatchObject({ status: 'down', reason: 'tls' });
    expect(result).not.toHaveProperty('httpStatus');
  });

  test('with the certificate of another name is down', async () => {
    const certificate = await mintCertificate();
    await using server = await listenHttps(certificate, (_, response) => response.end('ok'));
    const url = `https://localhost:${server.port}/`;
    const result = await probeHttp({ kind: 'http', url, trustedCa: certificate.cert }, patient());
    expect(result).toMatchObject({ status: 'down', reason: 'tls' });
  });

  test('asked of a server that has none is down', async () => {
    await using server = await listenHttp((_, response) => response.end('ok'));
    expect(await probeHttp(target(server.port, { scheme: 'https' }), patient())).toMatchObject({
      status: 'down',
      reason: 'tls',
    });
  });
});
