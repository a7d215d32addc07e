import { Id, InstanceNumber } from '@muster/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf } from '../caller/caller.ts';
import type { AppDependencies } from '../dependencies.ts';
import { RequestError } from '../errors.ts';
import { parseInput } from './parse.ts';

const Params = z.object({ host: Id, service: Id });
const Query = z.strictObject({ instance: z.coerce.number().pipe(InstanceNumber).default(0) });

/** `GET /api/services/:host/:service/why`: the recent events of one instance, newest first. */
export function whyRoutes(app: FastifyInstance, { source }: AppDependencies): void {
  app.get('/api/services/:host/:service/why', async (request, reply) => {
    const params = parseInput(Params, request.params, 'address');
    const target = { ...params, ...parseInput(Query, request.query, 'query') };
    const answer = await source.why(target, actorOf(request.caller));
    if (answer.from === 'nobody') throw new RequestError(answer.code, answer.reason);
    reply.header('cache-control', 'no-store');
    return answer;
  });
}
