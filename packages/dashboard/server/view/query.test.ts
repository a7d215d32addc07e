import { expect, test } from 'vitest';
import * as make from '../../test/support/demo-facts.ts';
import { fleetOf } from '../../test/support/fleet-of.ts';
import type { Fact } from './fleet.ts';
import { type DataQuery, queryPage, withoutAges } from './query.ts';
import { render } from './render.ts';

const services = ['a', 'b', 'c'].flatMap((name) => [
  make.status('web1', name),
  make.status('web2', name, { state: 'failed', reason: 'no budget left' }),
]);
const facts: Fact[] = [
  { kind: 'bus', isConnected: true, reason: 'connected' },
  { kind: 'listed', bucket: 'status', entries: new Map(services.map((s) => [`${s.host}.${s.service}.0`, s])) },
  { kind: 'host-presence', heartbeat: make.hostHeartbeat('web1') },
  { kind: 'host-presence', heartbeat: make.hostHeartbeat('web2') },
];
const fleet = fleetOf(facts.map((fact) => [1_000, fact]));
const query = (changes: Partial<DataQuery> = {}, nowMs = 1_500) =>
  queryPage(render(fleet, nowMs, { environment: 'test', dashboard: 'main' }), nowMs, {
    offset: 0,
    limit: 100,
    ...changes,
  });

test.each([
  [{}, 6],
  [{ host: 'web1' }, 3],
  [{ state: 'failed' as const }, 3],
  [{ q: 'BUDGET' }, 3],
  [{ q: 'a', host: 'web1' }, 3],
  [{ host: 'nowhere' }, 0],
])('filter %j finds %i', (filter, total) => {
  expect(query(filter).services.total).toBe(total);
});

test('pages don’t overlap and together hold all', () => {
  const names = [0, 2, 4].flatMap((offset) =>
    query({ offset, limit: 2 }).services.rows.map(({ host, service }) => `${host}/${service}`),
  );
  expect(new Set(names).size).toBe(6);
});

test('instants are told as ages, and the same content has the same text without them', () => {
  const [first, later] = [query(), query({}, 2_500)];
  expect(first.services.rows[0]).toMatchObject({ enteredAgeMs: 190_500 });
  expect(later.services.rows[0]).toMatchObject({ enteredAgeMs: 191_500 });
  expect(first.hosts.rows[0]).toMatchObject({ host: 'web1', heardAgeMs: 500 });
  expect(withoutAges(first)).toBe(withoutAges(later));
  expect(withoutAges(first)).not.toBe(withoutAges(query({ host: 'web1' })));
});
