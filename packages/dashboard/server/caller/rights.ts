/** What a caller must be allowed to do. `none`: whoever reaches the port may. */
export type Right = 'none' | 'see' | 'act';

/** The right that each route needs. A route without a row cannot be added; an address that is none needs `see`. */
export const RIGHTS: Readonly<Record<string, Right>> = {
  'GET /api/health': 'none',
  'GET /api/dashboard-data': 'see',
  'GET /api/services/:host/:service/why': 'see',
  'POST /api/services/:host/:service/start': 'act',
  'POST /api/services/:host/:service/stop': 'act',
  'POST /api/services/:host/:service/restart': 'act',
  // The page. It holds nothing of the fleet, but it is of use to nobody else.
  'GET /*': 'see',
  // The socket only sends; no message of a page needs a right of its own yet.
  'GET /ws': 'see',
};

export function rightFor(method: string, route: string): Right | undefined {
  return RIGHTS[`${method === 'HEAD' ? 'GET' : method} ${route}`];
}
