/**
 * What the three example services share: an HTTP server with `/api/health` and `/metrics`, one JSON log line per request, and a
 * graceful end on SIGTERM.
 */
import { createServer } from 'node:http';

const MAX_BODY_BYTES = 64 * 1024;

/**
 * @typedef {object} Answer
 * @property {number} [status] 200 when absent
 * @property {unknown} body sent as JSON
 */

/**
 * @typedef {(url: URL, body: unknown) => Answer | Promise<Answer>} Handler `body` is undefined for requests without one
 */

/**
 * Serves until SIGTERM or SIGINT.
 *
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.version
 * @param {number} options.defaultPort when PORT is not set; HOST defaults to 127.0.0.1
 * @param {Record<string, Handler>} options.routes by method and path, like `GET /api/search`
 */
export function serve({ name, version, defaultPort, routes }) {
  const startedAtMs = performance.now();
  /** Requests by status code. @type {Map<number, number>} */
  const requests = new Map();
  let totalDurationMs = 0;

  /** @type {Record<string, Handler>} */
  const allRoutes = {
    ...routes,
    'GET /api/health': () => ({
      body: { status: 'healthy', service: name, version, uptimeSeconds: (performance.now() - startedAtMs) / 1000 },
    }),
  };

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async function serveRequest(request, response) {
    const receivedAtMs = performance.now();
    const url = new URL(request.url ?? '/', 'http://service');
    if (url.pathname === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4').end(renderMetrics(requests, totalDurationMs));
      return;
    }
    const { status = 200, body } = await answer(allRoutes[`${request.method} ${url.pathname}`], url, request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const durationMs = performance.now() - receivedAtMs;
    requests.set(status, (requests.get(status) ?? 0) + 1);
    totalDurationMs += durationMs;
    log(status < 500 ? 'info' : 'error', `${request.method} ${url.pathname}`, {
      status,
      durationMs: Math.round(durationMs),
    });
  }

  const server = createServer((request, response) => void serveRequest(request, response));

  const port = Number(process.env.PORT ?? defaultPort);
  const host = process.env.HOST ?? '127.0.0.1';
  server.once('error', (error) => {
    log('error', `cannot listen on ${host}:${port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(port, host, () => log('info', `${name} ${version} listens on http://${host}:${port}`));

  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      log('info', `${signal}: finishing open requests`);
      server.close(() => log('info', 'closed'));
      server.closeIdleConnections();
    });
  }
}

/**
 * @param {Handler | undefined} handler
 * @param {URL} url
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<Answer>}
 */
async function answer(handler, url, request) {
  if (!handler) return { status: 404, body: { error: `no such route: ${request.method} ${url.pathname}` } };
  try {
    return await handler(url, await readJson(request));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: error instanceof SyntaxError ? 400 : 500, body: { error: reason } };
  }
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<unknown>} undefined when the request has no body
 * @throws {SyntaxError} when the body is too large or not JSON
 */
async function readJson(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY_BYTES) throw new SyntaxError(`body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  return text === '' ? undefined : JSON.parse(text);
}

/**
 * @param {Map<number, number>} requests
 * @param {number} totalDurationMs
 */
function renderMetrics(requests, totalDurationMs) {
  const count = [...requests.values()].reduce((sum, value) => sum + value, 0);
  return [
    '# TYPE http_requests_total counter',
    ...[...requests].map(([status, value]) => `http_requests_total{status="${status}"} ${value}`),
    '# TYPE http_request_duration_seconds summary',
    `http_request_duration_seconds_sum ${totalDurationMs / 1000}`,
    `http_request_duration_seconds_count ${count}`,
    '',
  ].join('\n');
}

/**
 * @param {'info' | 'error'} level
 * @param {string} message
 * @param {Record<string, unknown>} [fields]
 */
function log(level, message, fields) {
  console.log(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
}
