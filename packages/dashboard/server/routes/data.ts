import { createHash } from 'node:crypto';
import { Id, INSTANCE_STATES } from '@muster/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../dependencies.ts';
import { MAX_ROWS, queryPage, withoutAges } from '../view/query.ts';
import { parseInput } from './parse.ts';

const DEFAULT_LIMIT = 100;
const MAX_TEXT_LENGTH = 200;

const Query = z.strictObject({
  host: Id.optional(),
  state: z.enum(INSTANCE_STATES).optional(),
  q: z.string().max(MAX_TEXT_LENGTH).optional(),
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MAX_ROWS).default(DEFAULT_LIMIT),
});

/**
 * `GET /api/dashboard-data`: what the page shows, as JSON. The ETag is a weak one: two answers with the same tag say the same,
 * apart from the ages, which grow with time.
 */
export function dataRoutes(app: FastifyInstance, { fleet }: AppDependencies): void {
  app.get('/api/dashboard-data', async (request, reply) => {
    const query = parseInput(Query, request.query, 'query');
    const { page, nowMs } = fleet.look();
    const data = queryPage(page, nowMs, query);
    const etag = `W/"${createHash('sha1').update(withoutAges(data)).digest('base64url')}"`;
    reply.header('etag', etag).header('cache-control', 'no-cache');
    if (isNamed(etag, request.headers['if-none-match'])) return reply.status(304).send();
    return data;
  });
}

function isNamed(etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((tag) => tag.trim() === etag || tag.trim() === '*');
}
