import { Id, InstanceNumber } from '@muster/contracts';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf } from '../caller/caller.ts';
import type { AppDependencies } from '../dependencies.ts';
import { ERROR_OF_REFUSAL, RequestError } from '../errors.ts';
import { ACTIONS, type CommandAccepted } from '../protocol/index.ts';
import type { CommandOutcome } from '../source/fleet-source.ts';
import { parseInput } from './parse.ts';

const Params = z.object({ host: Id, service: Id });
const Body = z.strictObject({ instance: InstanceNumber.optional() });

/** `POST /api/services/:host/:service/start|stop|restart`: 202 when the agent took it; its outcome shows on the page. */
export function commandRoutes(app: FastifyInstance, { source, audit }: AppDependencies): void {
  for (const action of ACTIONS) {
    app.post(`/api/services/:host/:service/${action}`, async (request, reply) => {
      const target = { ...parseInput(Params, request.params, 'address'), ...parseInput(Body, request.body, 'body') };
      const actor = actorOf(request.caller);
      const outcome = await source.command(action, target, actor);
      audit(action, target, outcome, actor);
      return reply.status(202).send(acceptedOrThrow(outcome));
    });
  }
}

function acceptedOrThrow(outcome: CommandOutcome): CommandAccepted {
  switch (outcome.outcome) {
    case 'accepted':
      return outcome;
    case 'refused':
      throw new RequestError(ERROR_OF_REFUSAL[outcome.code], outcome.reason, {
        outcome: 'refused',
        commandId: outcome.commandId,
      });
    case 'undelivered':
      throw new RequestError('undelivered', outcome.reason, {
        outcome: 'undelivered',
        ...(outcome.commandId !== undefined && { commandId: outcome.commandId }),
      });
    case 'unknown':
      throw new RequestError('outcome-unknown', outcome.reason, { outcome: 'unknown', commandId: outcome.commandId });
  }
}
