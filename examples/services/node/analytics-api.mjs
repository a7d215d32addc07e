/** Counts named events: `POST /api/events {"name":"signup"}`, then `GET /api/summary`. */
import { serve } from './serve.mjs';

const MAX_NAMES = 1_000;

/** @type {Map<string, number>} */
const counts = new Map();

serve({
  name: 'analytics-api',
  version: '1.0.0',
  defaultPort: 8002,
  routes: {
    'POST /api/events': (_, body) => {
      const name = typeof body === 'object' && body !== null && 'name' in body ? body.name : undefined;
      if (typeof name !== 'string' || name === '') return { status: 400, body: { error: 'an event needs a `name`' } };
      if (!counts.has(name) && counts.size >= MAX_NAMES) {
        return { status: 409, body: { error: `no more than ${MAX_NAMES} different names are counted` } };
      }
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return { status: 202, body: { name, count: counts.get(name) } };
    },
    'GET /api/summary': () => ({ body: { counts: Object.fromEntries(counts) } }),
  },
});
