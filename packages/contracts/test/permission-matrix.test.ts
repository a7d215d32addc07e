/*
 * Each role × each subject × each JetStream and KV call, on a real server. The attempts are generated from contracts, so
 * that a new row is tried without anybody thinking of it; what must be allowed is written down here by hand, apart from
 * the code that grants it. Everything else must be denied.
 */
import { readFile } from 'node:fs/promises';
import {
  bucketName,
  buckets,
  buildSubject,
  commands,
  proberCommands,
  ROLES,
  type Role,
  rows,
  streamDefinitions,
} from '@muster/contracts';
import { parseCredentials } from '@muster/contracts/bus';
import { TestBus } from '@muster/contracts/testing';
import { errors } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { matchesFilter } from '../src/bus/matches-filter.ts';
import { claimsIn } from '../src/bus/trust/nkey.ts';

const environment = 'test';

/** One identity of each role, and one more of those that are bound to their own id. */
const SELF: Readonly<Record<Role, string>> = {
  agent: 'web1',
  prober: 'p1',
  dashboard: 'd1',
  operator: 'ada',
  observer: 'pager',
  monitor: 'k6',
  admin: 'setup',
};

const EVENTS = ['EVENTS', 'ALERTS', 'LOGS', 'PROBES', 'ROLLUP_1M', 'ROLLUP_15M', 'ROLLUP_2H'];
const OPEN_BUCKETS = ['specs', 'status', 'health', 'alerts', 'leases', 'notified', 'silences', 'maintenance', 'config'];
const SECRET_BUCKETS = ['users', 'tokens', 'sessions', 'views'];

/** What reading these streams and buckets takes. */
function reading(streams: readonly string[], ofBuckets: readonly string[]): readonly string[] {
  const names = [...streams.map((name) => `MUSTER_TEST_${name}`), ...ofBuckets.map((name) => `KV_muster_test_${name}`)];
  return [
    '$JS.API.INFO',
    ...names.flatMap((name) => [
      `$JS.API.STREAM.INFO.${name}`,
      `$JS.API.DIRECT.GET.${name}`,
      `$JS.API.DIRECT.GET.${name}.>`,
      `$JS.API.CONSUMER.CREATE.${name}`,
      `$JS.API.CONSUMER.CREATE.${name}.>`,
      `$JS.API.CONSUMER.DELETE.${name}.>`,
      `$JS.FC.${name}.>`,
    ]),
  ];
}

const ASKING = ['status', 'why', 'series', 'outcome'].map((verb) => `muster.v1.test.command.*.${verb}`);
const ACTING = ['start', 'stop', 'restart', 'scale', 'reload', 'plan', 'apply', 'logs', 'watch', 'adopt', 'forget'].map(
  (verb) => `muster.v1.test.command.*.${verb}`,
);
const SHUTDOWN = 'muster.v1.test.command.*.shutdown';
const REVOKING = 'muster.v1.test.command.*.revocations';
/** Everybody may ask which life of the store this is. */
const WHICH_BUS = 'muster.v1.test.command._prober.bus';
const REMOVING = 'muster.v1.test.command._prober.remove';
const ALERTS_BEHIND = 'muster.v1.test.command._prober.alerts';
const PROBERS = ['probe', 'test', 'acknowledge', 'silence', 'alerts'].map(
  (verb) => `muster.v1.test.command._prober.${verb}`,
);
const putting = (...names: readonly string[]) => names.map((name) => `$KV.muster_test_${name}.>`);

const FAMILIES = ['service', 'probe', 'health', 'alert', 'bus', 'monitor'].map(
  (family) => `muster.v1.test.${family}.>`,
);
const HOST = ['presence', 'metrics', 'event', 'rollup.1m', 'rollup.15m', 'rollup.2h'].map(
  (what) => `muster.v1.test.host.*.${what}`,
);
const PROBER = ['presence', 'event', 'rollup.1m', 'rollup.15m', 'rollup.2h'].map(
  (what) => `muster.v1.test.prober.*.${what}`,
);
const DASHBOARD = ['muster.v1.test.dashboard.*.presence'];

interface Allowed {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const ALLOWED: Readonly<Record<Role, Allowed>> = {
  agent: {
    publish: [
      'muster.v1.test.host.web1.>',
      'muster.v1.test.service.web1.>',
      '$KV.muster_test_specs.web1.>',
      '$KV.muster_test_status.web1.>',
      'muster.v1.test.command._prober.recover',
      WHICH_BUS,
      // What it is asked, and nobody else is.
      'muster.v1.test.answer.web1.>',
      // Who else speaks for its host, and no other question to itself.
      'muster.v1.test.command.web1.claim',
    ],
    subscribe: ['muster.v1.test.command.web1.>', 'muster.v1.test.answer.*.agent.web1.>', '_INBOX.agent.web1.>'],
  },
  prober: {
    publish: [
      'muster.v1.test.prober.p1.>',
      'muster.v1.test.answer._prober.>',
      'muster.v1.test.probe.p1.>',
      'muster.v1.test.health.>',
      'muster.v1.test.alert.>',
      ...putting('health', 'alerts', 'leases', 'notified', 'silences', 'maintenance'),
      // What no agent keeps any more it takes away.
      ...putting('specs', 'status'),
      '$KV.muster_test_config.incarnation',
      '$KV.muster_test_config.revocations',
      WHICH_BUS,
      ...ASKING,
      'muster.v1.test.command.*.verdict',
      'muster.v1.test.command.*.dependency',
      REVOKING,
      ...reading(EVENTS, OPEN_BUCKETS),
    ],
    subscribe: [
      ...FAMILIES,
      ...HOST,
      ...PROBER,
      ...DASHBOARD,
      'muster.v1.test.command._prober.>',
      'muster.v1.test.answer.*.prober.p1.>',
      '_INBOX.prober.p1.>',
    ],
  },
  dashboard: {
    publish: [
      'muster.v1.test.dashboard.d1.>',
      ...ASKING,
      ...ACTING,
      SHUTDOWN,
      WHICH_BUS,
      ...PROBERS,
      ...putting('silences', 'maintenance', 'config', ...SECRET_BUCKETS),
      ...reading([...EVENTS, 'AUDIT'], [...OPEN_BUCKETS, ...SECRET_BUCKETS]),
    ],
    subscribe: [
      ...FAMILIES,
      'muster.v1.test.host.>',
      'muster.v1.test.prober.>',
      ...DASHBOARD,
      'muster.v1.test.answer.*.dashboard.d1.>',
      '_INBOX.dashboard.d1.>',
    ],
  },
  operator: {
    publish: [
      ...ASKING,
      ...ACTING,
      SHUTDOWN,
      WHICH_BUS,
      REVOKING,
      ...PROBERS,
      REMOVING,
      ...putting('silences', 'maintenance', 'config'),
      ...reading([...EVENTS, 'AUDIT'], OPEN_BUCKETS),
    ],
    subscribe: [
      ...FAMILIES,
      'muster.v1.test.host.>',
      'muster.v1.test.prober.>',
      'muster.v1.test.dashboard.>',
      'muster.v1.test.answer.*.operator.ada.>',
      '_INBOX.operator.ada.>',
    ],
  },
  observer: {
    publish: [ALERTS_BEHIND, WHICH_BUS],
    subscribe: [
      'muster.v1.test.alert.>',
      'muster.v1.test.answer.*.observer.pager.>',
      'muster.v1.test.deliver.observer.pager',
      '_INBOX.observer.pager.>',
    ],
  },
  monitor: {
    publish: ['muster.v1.test.monitor.k6.>', WHICH_BUS],
    subscribe: ['muster.v1.test.answer.*.monitor.k6.>', '_INBOX.monitor.k6.>'],
  },
  admin: {
    publish: [
      'muster.v1.test.bus.event',
      ...ASKING,
      ...ACTING,
      SHUTDOWN,
      WHICH_BUS,
      REVOKING,
      ...PROBERS,
      REMOVING,
      ...putting('silences', 'maintenance', 'config', ...SECRET_BUCKETS),
      '$JS.API.>',
      '$JS.ACK.>',
      '$JS.FC.>',
    ],
    subscribe: [
      ...FAMILIES,
      'muster.v1.test.host.>',
      'muster.v1.test.prober.>',
      'muster.v1.test.dashboard.>',
      'muster.v1.test.answer.*.admin.setup.>',
      '_INBOX.admin.setup.>',
    ],
  },
};

/** Own ids of everybody, and foreign ones. */
const IDS = [
  { host: 'web1', prober: 'p1', dashboard: 'd1', monitor: 'k6' },
  { host: 'db1', prober: 'p2', dashboard: 'd2', monitor: 'k7' },
].map((ids) => ({ ...ids, service: 'api', instance: 0, severity: 'info', rule: 'failed' }));

function messageSubjects(): string[] {
  const templates = Object.values(rows).map(({ template }) => template);
  return IDS.flatMap((ids) => templates.map((template) => buildSubject(environment, template, ids)));
}

function commandSubjects(): string[] {
  const templates: string[] = [...Object.values(commands), ...Object.values(proberCommands)].map(
    ({ template }) => template,
  );
  return IDS.flatMap((ids) => templates.map((template) => buildSubject(environment, template, ids)));
}

function bucketSubjects(): string[] {
  return (Object.keys(buckets) as (keyof typeof buckets)[]).flatMap((name) =>
    [...IDS.map(({ host }) => `${host}.api.0`), 'incarnation', 'revocations', 'incarnation.x'].map(
      (key) => `$KV.${bucketName(environment, name)}.${key}`,
    ),
  );
}

/** Every call that JetStream knows, of every stream. */
function jetStreamSubjects(): string[] {
  const names = [
    ...streamDefinitions(environment).map(({ name }) => name),
    ...(Object.keys(buckets) as (keyof typeof buckets)[]).map((name) => `KV_${bucketName(environment, name)}`),
  ];
  const ofStream = ['INFO', 'CREATE', 'UPDATE', 'DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE', 'MSG.GET', 'MSG.DELETE'];
  const ofLeader = ['STREAM.LEADER.STEPDOWN', 'STREAM.PEER.REMOVE', 'CONSUMER.NAMES', 'CONSUMER.LIST'];
  const ofConsumer = ['INFO', 'DELETE', 'DURABLE.CREATE', 'MSG.NEXT', 'LEADER.STEPDOWN', 'PAUSE', 'UNPIN'];
  return [
    '$JS.API.INFO',
    '$JS.API.ACCOUNT.PURGE.x',
    '$JS.API.META.LEADER.STEPDOWN',
    '$JS.API.STREAM.NAMES',
    '$JS.API.STREAM.LIST',
    '$JS.API.STREAM.CREATE.OTHER',
    ...names.flatMap((name) => [
      ...ofStream.map((call) => `$JS.API.STREAM.${call}.${name}`),
      ...ofLeader.map((call) => `$JS.API.${call}.${name}`),
      ...ofConsumer.map((call) => `$JS.API.CONSUMER.${call}.${name}.c`),
      `$JS.API.CONSUMER.CREATE.${name}`,
      `$JS.API.CONSUMER.CREATE.${name}.c`,
      `$JS.API.CONSUMER.CREATE.${name}.c.muster.v1.test.x`,
      `$JS.API.DIRECT.GET.${name}`,
      `$JS.API.DIRECT.GET.${name}.some.subject`,
      `$JS.ACK.${name}.c.1.1.1.1.0`,
      `$JS.FC.${name}.c.x`,
    ]),
  ];
}

/** What nobody has any business with, whatever may be allowed. */
const OUTSIDE = [
  'muster.v1.other.host.web1.presence',
  'muster.v2.test.host.web1.presence',
  '$KV.muster_other_status.web1.api.0',
  '$SYS.REQ.SERVER.PING',
  '$SYS.REQ.ACCOUNT.X.CLAIMS.UPDATE',
  '$SRV.PING',
  '_R_.x',
  'anything',
];
/** What would be answered by each to each, and where alerts are delivered. */
const ANSWERS = [
  ...['web1', 'db1', '_prober'].flatMap((answerer) =>
    ROLES.map((role) => `muster.v1.test.answer.${answerer}.${role}.${SELF[role]}.x.1`),
  ),
  ...ROLES.map((role) => `muster.v1.test.answer.web1.${role}.other.x.1`),
  ...['pager', 'other'].map((id) => `muster.v1.test.deliver.observer.${id}`),
];
const INBOXES = ROLES.map((role) => `_INBOX.${role}.${SELF[role]}.x.1`);

const PUBLISHES = [
  ...messageSubjects(),
  ...commandSubjects(),
  ...bucketSubjects(),
  ...jetStreamSubjects(),
  ...OUTSIDE,
  ...ANSWERS,
  ...INBOXES,
];

/** One by one and by the wildcards that somebody curious would try. */
const SUBSCRIPTIONS = [
  ...messageSubjects(),
  ...commandSubjects(),
  ...bucketSubjects(),
  ...OUTSIDE,
  ...ANSWERS,
  ...INBOXES,
  ...ROLES.map((role) => `_INBOX.${role}.>`),
  ...ROLES.map((role) => `muster.v1.test.answer.*.${role}.>`),
  'muster.v1.test.deliver.>',
  ...['host', 'service', 'probe', 'prober', 'dashboard', 'monitor', 'health', 'alert', 'command', 'answer'].map(
    (family) => `muster.v1.test.${family}.>`,
  ),
  '>',
  '*.>',
  '_INBOX.>',
  'muster.v1.test.>',
  'muster.v1.test.*.>',
  'muster.v1.test.command.*.stop',
  '$KV.>',
  '$JS.>',
  '$SYS.>',
];

let testBus: TestBus;
beforeAll(async () => {
  testBus = await TestBus.start(ROLES.map((role) => ({ role, id: SELF[role] })));
});
afterAll(async () => {
  await testBus[Symbol.asyncDispose]();
});

/** Tries all of it on one connection, and returns what the server denied. */
async function denied(role: Role): Promise<{ publish: ReadonlySet<string>; subscription: ReadonlySet<string> }> {
  const raw = await testBus.connectRaw({ role, id: SELF[role] }, { reconnect: false });
  const found = { publish: new Set<string>(), subscription: new Set<string>() };
  const watching = (async () => {
    for await (const status of raw.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
      found[status.error.operation].add(status.error.subject);
    }
  })();
  for (const subject of SUBSCRIPTIONS) raw.subscribe(subject, { callback: () => {} });
  await raw.flush();
  // Neither JSON nor empty: no call that is let through does anything.
  for (const subject of PUBLISHES) raw.publish(subject, 'x');
  await raw.flush();
  await raw.close();
  await watching;
  return found;
}

/** Does one of the patterns cover the whole of what is subscribed, wildcards included? */
function covers(patterns: readonly string[], subject: string): boolean {
  return patterns.some((pattern) => {
    if (subject === pattern) return true;
    // A star of a pattern stands for a star, too, but for nothing longer.
    return matchesFilter(pattern, subject) && (!subject.endsWith('>') || pattern.endsWith('>'));
  });
}

describe.each(ROLES)('a %s', (role) => {
  test('is not given by any question a right to publish where it says', async () => {
    const claims = claimsIn(
      parseCredentials(await readFile(testBus.credentials({ role, id: SELF[role] }), 'utf8')).jwt,
    );
    expect(claims.nats).not.toHaveProperty('resp');
  });

  test('may publish and hear what its work needs, and nothing else', async () => {
    const { publish, subscription } = await denied(role);
    const wrong = [
      ...PUBLISHES.filter((subject) => covers(ALLOWED[role].publish, subject) === publish.has(subject)).map(
        (subject) => `publish ${subject}`,
      ),
      ...SUBSCRIPTIONS.filter((subject) => covers(ALLOWED[role].subscribe, subject) === subscription.has(subject)).map(
        (subject) => `subscribe ${subject}`,
      ),
    ];
    expect(wrong).toEqual([]);
  });
});

test('the matrix is as large as the wire', () => {
  expect(PUBLISHES.length).toBeGreaterThan(2 * Object.keys(rows).length + 20 * streamDefinitions(environment).length);
});
