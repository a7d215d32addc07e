import type { IncomingMessage } from 'node:http';
import fastifyStatic from '@fastify/static';
import { type FastifyInstance, type FastifyReply, fastify, LogController } from 'fastify';
import { Authenticator } from './caller/authenticator.ts';
import { actorOf } from './caller/caller.ts';
import { type Right, rightFor } from './caller/rights.ts';
import type { AppDependencies } from './dependencies.ts';
import { asRequestError, RequestError } from './errors.ts';
import { checkJson, checkNames } from './guard.ts';
import { SECURITY_HEADERS } from './headers.ts';
import { HttpServers } from './http-servers.ts';
import { commandRoutes } from './routes/commands.ts';
import { dataRoutes } from './routes/data.ts';
import { healthRoutes } from './routes/health.ts';
import { whyRoutes } from './routes/why.ts';
import { serveWebSockets, WS_PATH } from './ws/upgrade.ts';

/** Everything the dashboard answers, and what it answers on. */
export interface App {
  readonly app: FastifyInstance;
  readonly servers: HttpServers;
}

/** A command's body is a few bytes. */
const BODY_LIMIT_BYTES = 16 * 1024;

/** Even that there is nothing is told to nobody else. */
const OF_NO_ROUTE: Right = 'see';

/** Everything the dashboard answers: REST, the page and `/ws`. Listens to nothing yet. */
export async function buildApp(deps: AppDependencies): Promise<App> {
  const callers = new Authenticator({
    ...deps,
    onRefused: (why, untold) => deps.log?.warn({ why, untold }, 'refused a stranger'),
  });
  const servers = new HttpServers((socket) => callers.accepted(socket));
  const app = fastify({
    serverFactory: (handler) => servers.createMain(handler),
    ...(deps.log !== undefined && { loggerInstance: deps.log }),
    bodyLimit: BODY_LIMIT_BYTES,
    // Viewers poll: their requests are no news. Failures are logged by the error handler.
    logController: new LogController({ disableRequestLogging: true }),
    // What is under way is answered: who asked for a command must hear what became of it, and so must the audit.
    forceCloseConnections: 'idle',
    // An address that cannot be decoded is answered before any hook, and in Fastify's own shape.
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) => {
      const failure = asRequestError(error);
      void reply.headers(SECURITY_HEADERS).status(failure.status).send(failure.body);
    },
  });
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    checkNames(request.headers, servers);
    request.caller = await callers.callerOf(request.raw);
    callers.check(request.caller, rightFor(request.method, request.routeOptions.url ?? '') ?? OF_NO_ROUTE);
    if (request.method !== 'GET' && request.method !== 'HEAD') checkJson(request.headers);
  });
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (rightFor(each, url) === undefined) throw new Error(`no row in RIGHTS says who may use ${each} ${url}`);
    }
  });
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onSend', async (_request, reply) => {
    // Kept alive, the connection of the last answer would keep the server from closing.
    if (isClosing) reply.header('connection', 'close');
  });
  app.setErrorHandler(async (error, request, reply) => {
    const failure = asRequestError(error);
    if (failure.code === 'internal') request.log.error({ err: error, url: request.url }, 'cannot answer a request');
    // On another connection the same program may be somebody else.
    if (failure.code === 'not-an-owner') reply.header('connection', 'close');
    return reply.status(failure.status).send(failure.body);
  });
  app.setNotFoundHandler(async (request) => {
    throw new RequestError('not-found', `there is nothing at ${request.method} ${request.url.slice(0, 200)}`);
  });

  healthRoutes(app, deps);
  dataRoutes(app, deps);
  commandRoutes(app, deps);
  whyRoutes(app, deps);
  if (deps.webRoot !== undefined) await servePage(app, deps.webRoot);

  const admit = async (request: IncomingMessage) => {
    checkNames(request.headers, servers);
    const caller = await callers.callerOf(request);
    callers.check(caller, rightFor('GET', WS_PATH) ?? OF_NO_ROUTE);
    return actorOf(caller);
  };
  let closing: Promise<void> | undefined;
  const closeSockets = serveWebSockets(app.server, { ...deps, admit });
  app.addHook('preClose', async () => {
    closeSockets();
    closing = servers.close();
  });
  app.addHook('onClose', async () => closing);
  return { app, servers };
}

/** Assets carry a hash in their names and never change; the page itself is asked for each time. */
async function servePage(app: FastifyInstance, webRoot: string): Promise<void> {
  await app.register(fastifyStatic, {
    root: webRoot,
    preCompressed: true,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const isHashed = path.includes('/assets/');
      reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
