import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../dependencies.ts';

/** `GET /api/health`: 200 while this dashboard sees the fleet, 503 while it is blind. A stranger is told no more than that. */
export function healthRoutes(app: FastifyInstance, { fleet, hub, version }: AppDependencies): void {
  app.get('/api/health', async (request, reply) => {
    const { page, nowMs } = fleet.look();
    const { bus, isComplete, environment, dashboard } = page.fleet;
    const isHealthy = bus.isConnected && isComplete;
    const status = isHealthy ? 'ok' : 'blind';
    reply.status(isHealthy ? 200 : 503).header('cache-control', 'no-store');
    if (request.caller.kind === 'stranger') return { status };
    return {
      status,
      version,
      environment,
      dashboard,
      bus: { isConnected: bus.isConnected, reason: bus.reason, ageMs: Math.round(nowMs - bus.sinceAtMs) },
      isComplete,
      hosts: Object.keys(page.hosts).length,
      services: Object.keys(page.services).length,
      viewers: hub.viewers,
    };
  });
}
