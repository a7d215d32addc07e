import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Condition, type TargetState, unmetReason } from './dependency.ts';
import { dependentsOf, mayStop, type ServiceNode } from './dependency-order.ts';

const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000_007);
console.log(`dependency order properties: MUSTER_TEST_SEED=${seed}`);

const node = (service: string, ...targets: string[]): ServiceNode => ({
  service,
  dependsOn: targets.map((target) => ({ target, condition: 'ready' })),
});

/** Without cycles, which the reader of the file refuses: each depends on earlier ones only. */
const graph: fc.Arbitrary<readonly ServiceNode[]> = fc
  .array(fc.uniqueArray(fc.nat(9), { maxLength: 3 }), { maxLength: 8 })
  .map((edges) =>
    edges.map((targets, index) => node(`s${index}`, ...targets.filter((t) => t < index).map((t) => `s${t}`))),
  );

describe('any graph', () => {
  test('stops completely, and a service never before what depends on it', () => {
    fc.assert(
      fc.property(graph, (nodes) => {
        const stopped = new Set<string>();
        while (stopped.size < nodes.length) {
          const next = nodes.filter(
            ({ service }) => !stopped.has(service) && mayStop(service, nodes, (s) => stopped.has(s)),
          );
          expect(next.length).toBeGreaterThan(0);
          for (const { service } of next) {
            for (const dependent of dependentsOf(service, nodes)) expect(stopped).toContain(dependent);
          }
          for (const { service } of next) stopped.add(service);
        }
      }),
      { seed, numRuns: 500 },
    );
  });
});

test('a finished job in between still keeps the bus up until the dashboard is down', () => {
  const nodes = [node('bus'), node('bus-setup', 'bus'), node('dashboard', 'bus-setup')];
  expect(mayStop('bus', nodes, (service) => service === 'bus-setup')).toBe(false);
  expect(mayStop('bus', nodes, () => true)).toBe(true);
});

describe('why it may not start', () => {
  const service = (name: TargetState['name'], isReady = false): TargetState => ({ name, isReady, isJob: false });
  const job = (name: TargetState['name']): TargetState => ({ name, isReady: false, isJob: true });
  const remote = () => ({ isMet: false, reason: 'never asked for' });

  test.each<[Condition, readonly TargetState[] | undefined, string | null]>([
    ['ready', undefined, 'db is not configured here'],
    ['ready', [], 'waits for db to be ready, which has no instance'],
    ['ready', [service('running')], 'waits for db to be ready'],
    ['ready', [service('running', true)], null],
    ['ready', [service('backoff'), service('running', true)], null],
    ['ready', [service('failed')], 'waits for db to be ready, which has failed'],
    ['ready', [job('running')], 'waits for db to be ready'],
    ['ready', [job('completed')], null],
    ['started', [service('starting')], 'waits for db to start'],
    ['started', [service('running')], null],
    ['started', [service('stopped')], 'waits for db to start, which is stopped'],
    ['completed', [job('running')], 'waits for db to complete'],
    ['completed', [service('running', true)], 'waits for db to complete, which is no job'],
    ['completed', [job('completed'), job('running')], 'waits for db to complete'],
    ['completed', [job('completed')], null],
  ])('%s of %o: %s', (condition, instances, reason) => {
    expect(unmetReason([{ target: 'db', condition }], { local: () => instances, remote })).toBe(reason);
  });

  test('of another host it is what the prober says', () => {
    const facts = (isMet: boolean) => ({
      local: () => undefined,
      remote: () => ({ isMet, reason: 'host other is not heard for more than 10 s' }),
    });
    const dependency = { target: 'other/db', condition: 'ready' } as const;
    expect(unmetReason([dependency], facts(true))).toBeNull();
    expect(unmetReason([dependency], facts(false))).toBe('other/db: host other is not heard for more than 10 s');
  });
});
