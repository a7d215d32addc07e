import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatDiagnostic, readServices, type ServiceSpec, specHash } from './index.ts';
import type { ServicesReading } from './services-file.ts';

const FROM_THE_MANUAL = `services:
  - name: rag-api
    type: fastapi
    command: python rag-web-interface.py
    port: 8001
    health_check_url: http://localhost:8001/api/health
    environment: { ENVIRONMENT: production }
    auto_restart: true
    max_restarts: 3
  - name: custom-service
    type: docker
    command: nginx:latest          # the image
    port: 8080
    health_check_url: http://localhost:8080/health
    environment: { NGINX_HOST: localhost, NGINX_PORT: 8080 }
    dependencies: [database-service]
    auto_restart: true
    max_restarts: 5
    restart_delay: 60              # seconds
`;

function servicesOf(reading: ServicesReading): readonly ServiceSpec[] {
  if ('errors' in reading) throw new Error(reading.errors.map(formatDiagnostic).join('\n'));
  return reading.services;
}

function errorsOf(text: string, options = {}): string[] {
  const reading = readServices(text, 's.yaml', options);
  return 'errors' in reading ? reading.errors.map(formatDiagnostic) : [];
}

test('the configuration of the manual loads unchanged', () => {
  const reading = readServices(FROM_THE_MANUAL, 'config/services.yaml');
  const [rag, custom] = servicesOf(reading);
  expect(rag).toMatchObject({
    name: 'rag-api',
    type: 'fastapi',
    command: 'python rag-web-interface.py',
    port: 8001,
    environment: { ENVIRONMENT: 'production', PORT: '8001' },
    maxRestarts: 3,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 10_000,
    probes: { liveness: { check: { kind: 'http', url: 'http://localhost:8001/api/health' }, failureThreshold: 3 } },
  });
  expect(rag).not.toHaveProperty('restartDelayMs');
  expect(custom).toMatchObject({
    type: 'docker',
    environment: { NGINX_HOST: 'localhost', NGINX_PORT: '8080' },
    dependencies: [{ service: 'database-service', condition: 'ready' }],
    restartDelayMs: 60_000,
  });
  expect(reading.warnings.map(formatDiagnostic)).toEqual([
    "config/services.yaml:16:20: service 'custom-service' depends on 'database-service', which is not configured here, and waits until it is; add a service 'database-service', or write host/database-service",
  ]);
});

test.each(['', '# nothing yet\n', 'services:\n', 'services: []\n'])('a file without services is fine: %j', (text) => {
  expect(readServices(text, 's.yaml')).toEqual({ services: [], warnings: [] });
});

const service = (lines: string) => `services:\n  - name: api\n    command: run\n${lines}`;

const PORT_RULE = 'write a whole number from 1 to 65535, without quotes';
const ID_RULE = 'write 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit';
const COMMAND_RULE = 'write the command as one string, or as a list of its words';
const URL_RULE =
  'write an http:// or https:// address without user and password, such as http://localhost:8001/api/health';
const DURATION_RULE = 'write a duration of at most 24 days: seconds (30), or with a unit ("250ms", "30s", "5m")';
const DEPENDENCY_RULE = 'write a service name, host/service, or {service: name, condition: started|ready|completed}';
const MAP_VALUE_RULE = 'write a string, number, true or false, and "" for an empty value';

test.each<[what: string, text: string, ...errors: string[]]>([
  ['a misspelt key', service('    prot: 1\n'), `s.yaml:4:5: service 'api': unknown key "prot"; did you mean 'port'?`],
  [
    'a key of another tool',
    service('    depends_on: [db]\n'),
    `s.yaml:4:5: service 'api': unknown key "depends_on"; did you mean 'dependencies'?`,
  ],
  ['an unknown section', 'servces: []\n', `s.yaml:1:1: unknown key "servces"; did you mean 'services'?`],
  ['no command', 'services:\n  - name: api\n', `s.yaml:2:5: service 'api': 'command' is missing; ${COMMAND_RULE}`],
  ['no name', 'services:\n  - command: run\n', `s.yaml:2:5: service number 1: 'name' is missing; ${ID_RULE}`],
  [
    'a name that is no id',
    'services:\n  - name: My API\n    command: run\n',
    `s.yaml:2:11: service 'My API': 'name' is "My API"; ${ID_RULE}`,
  ],
  ['a port in words', service('    port: "80a"\n'), `s.yaml:4:11: service 'api': 'port' is "80a"; ${PORT_RULE}`],
  ['a port out of range', service('    port: 70000\n'), `s.yaml:4:11: service 'api': 'port' is 70000; ${PORT_RULE}`],
  ['a key without value', service('    port:\n'), `s.yaml:4:5: service 'api': 'port' is empty; ${PORT_RULE}`],
  [
    'a misspelt type',
    service('    type: dokcer\n'),
    `s.yaml:4:11: service 'api': 'type' is "dokcer"; did you mean 'docker'? (write one of process, fastapi, docker, systemd, supervisor)`,
  ],
  [
    'an address without scheme',
    service('    health_check_url: localhost:80/x\n'),
    `s.yaml:4:23: service 'api': 'health_check_url' is "localhost:80/x"; ${URL_RULE}`,
  ],
  [
    'an address with a password',
    service('    health_check_url: http://me:hunter2@localhost/x\n'),
    `s.yaml:4:23: service 'api': 'health_check_url' is "http://…@localhost/x"; ${URL_RULE}`,
  ],
  [
    'no duration',
    service('    restart_delay: 5 parsecs\n'),
    `s.yaml:4:20: service 'api': 'restart_delay' is "5 parsecs"; ${DURATION_RULE}`,
  ],
  [
    'a negative duration',
    service('    restart_delay: -1\n'),
    `s.yaml:4:20: service 'api': 'restart_delay' is -1; ${DURATION_RULE}`,
  ],
  [
    'yes instead of true',
    service('    auto_restart: yes\n'),
    `s.yaml:4:19: service 'api': 'auto_restart' is "yes"; write true or false`,
  ],
  [
    'an unknown signal',
    service('    stop_signal: SIGTREM\n'),
    `s.yaml:4:18: service 'api': 'stop_signal' is "SIGTREM"; did you mean 'SIGTERM'? (write one of SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGKILL, SIGUSR1, SIGUSR2)`,
  ],
  [
    'a key that stands twice',
    service('    port: 80\n    port: 81\n'),
    `s.yaml:5:5: the key 'port' stands twice in the same map; keep one`,
  ],
  [
    'two services of one name',
    service('  - name: api\n    command: run\n'),
    `s.yaml:4:11: service 'api' has the name of the service on line 2; give one of them another name`,
  ],
  [
    'two services on one port',
    service('    port: 80\n  - name: b\n    command: run\n    port: 80\n'),
    `s.yaml:7:11: service 'b' wants port 80, which belongs to 'api' (line 4); give one of them another port`,
  ],
  [
    'a cycle',
    service(
      '    dependencies: [b]\n  - name: b\n    command: run\n    dependencies: [{service: api, condition: started}]\n',
    ),
    `s.yaml:7:20: dependencies go round in a circle: api -> b -> api; remove one of them`,
  ],
  [
    'a service that depends on itself',
    service('    dependencies: [api]\n'),
    `s.yaml:4:20: dependencies go round in a circle: api -> api; remove one of them`,
  ],
  [
    'an unknown condition',
    service('    dependencies: [{service: b, condition: redy}]\n'),
    `s.yaml:4:44: service 'api': 'dependencies.0.condition' is "redy"; did you mean 'ready'? (write one of started, ready, completed)`,
  ],
  [
    'a dependency that is no id',
    service('    dependencies: [B!]\n'),
    `s.yaml:4:20: service 'api': 'dependencies.0' is "B!"; ${DEPENDENCY_RULE}`,
  ],
  [
    'dependencies as a map',
    service('    dependencies: {a: b}\n'),
    `s.yaml:4:19: service 'api': 'dependencies' is a map; write a list: [a, b], or one "- …" line each`,
  ],
  [
    'an environment as a list',
    service('    environment: [SECRET=hunter2]\n'),
    `s.yaml:4:18: service 'api': 'environment' is a list; write a map of "NAME: value" lines`,
  ],
  [
    'an environment value that is a list',
    service('    environment: {SECRET: [hunter2]}\n'),
    `s.yaml:4:27: service 'api': 'environment.SECRET' is a list; ${MAP_VALUE_RULE}`,
  ],
  [
    'an environment value that is empty',
    service('    environment:\n      SECRET:\n'),
    `s.yaml:5:7: service 'api': 'environment' has a name without a value; ${MAP_VALUE_RULE}`,
  ],
  [
    'an environment name that holds the value',
    service('    environment: {"KEY=hunter2": a}\n'),
    `s.yaml:4:19: service 'api': 'environment' has a name that starts with "KEY"; write a name of letters, digits and _, not starting with a digit`,
  ],
  [
    'services as a map',
    'services:\n  api:\n    command: run\n',
    `s.yaml:2:3: 'services' is a map; write a list with one "- name: …" entry for each service`,
  ],
  ['a list at the top', '- name: api\n', 's.yaml:1:1: this is a list; write "services:" and below it a list'],
  [
    'a bare name as a service',
    'services: [api]\n',
    `s.yaml:1:12: service number 1: this is "api"; write a map that starts with "name:"`,
  ],
  [
    'broken YAML, without showing its text',
    'services:\n  - name: "hunter2\n',
    's.yaml:3:1: a character is missing here; close the quote or bracket, or write a space after the colon',
  ],
  ['a tab', 'services:\n\t- name: api\n', 's.yaml:2:1: a tab is used as indentation; indent with spaces'],
  [
    'two documents',
    'services: []\n---\nservices: []\n',
    's.yaml:2:1: a second document starts here (---); keep one document per file',
  ],
  [
    'an alias without anchor',
    'services: [*nope]\n',
    's.yaml:1:1: an alias cannot be expanded; give every alias (*name) an anchor (&name) above it, and nest aliases less',
  ],
  [
    'a probe of nothing',
    service('    probes: {readiness: {period: 1}}\n'),
    `s.yaml:4:25: service 'api': 'probes.readiness' has neither http nor tcp; write exactly one of the two`,
  ],
  [
    'a probe without port',
    service('    probes: {readiness: {tcp: {}}}\n'),
    `s.yaml:4:31: service 'api': 'probes.readiness.tcp' has no port, nor has the service; write a port here or there`,
  ],
  [
    'a liveness probe that needs two successes',
    service('    port: 1\n    probes: {liveness: {tcp: {}, success_threshold: 2}}\n'),
    `s.yaml:5:53: service 'api': 'probes.liveness.success_threshold' is 2; write 1: a liveness probe needs one success`,
  ],
  [
    'an image as a list',
    'services:\n  - name: api\n    type: docker\n    command: [nginx, x]\n',
    `s.yaml:4:14: service 'api': 'command' is a list, but type docker takes one name; write it as one string`,
  ],
  [
    'everything at once',
    'services:\n  - name: A\n    prot: 1\n    restart_delay: x\n  - name: b\n    command: run\n    port: 1\n  - name: b\n    command: run\n    port: 1\n',
    `s.yaml:2:5: service 'A': 'command' is missing; ${COMMAND_RULE}`,
    `s.yaml:2:11: service 'A': 'name' is "A"; ${ID_RULE}`,
    `s.yaml:3:5: service 'A': unknown key "prot"; did you mean 'port'?`,
    `s.yaml:4:20: service 'A': 'restart_delay' is "x"; ${DURATION_RULE}`,
    `s.yaml:8:11: service 'b' has the name of the service on line 5; give one of them another name`,
    `s.yaml:10:11: service 'b' wants port 1, which belongs to 'b' (line 7); give one of them another port`,
  ],
])('refuses %s', (_what, text, ...errors) => {
  expect(errorsOf(text)).toEqual(errors);
});

test('names and ports of the system are taken, and may be depended on', () => {
  const reserved = [{ name: 'nats-server', port: 4222 }];
  expect(
    errorsOf('services:\n  - {name: nats-server, command: x}\n  - {name: a, command: x, port: 4222}\n', { reserved }),
  ).toEqual([
    `s.yaml:2:12: service 'nats-server' has the name of one of Muster's own services; give it another name`,
    `s.yaml:3:33: service 'a' wants port 4222, which belongs to Muster's own 'nats-server'; give one of them another port`,
  ]);
  expect(readServices(service('    dependencies: [nats-server]\n'), 's.yaml', { reserved }).warnings).toEqual([]);
});

test('a dependency on this host is local however it is written, one elsewhere is not judged here', () => {
  const reading = readServices(
    service('    dependencies: [web1/db, web2/db]\n  - { name: db, command: run }\n'),
    's.yaml',
    { host: 'web1' },
  );
  expect(servicesOf(reading)[0]?.dependencies).toEqual([
    { service: 'db', condition: 'ready' },
    { host: 'web2', service: 'db', condition: 'ready' },
  ]);
  expect(reading.warnings).toEqual([]);
});

test('waiting for the completion of what never completes is a warning', () => {
  const lines = '    dependencies: [{service: db, condition: completed}]\n  - { name: db, command: run }\n';
  expect(readServices(service(lines), 's.yaml').warnings.map(formatDiagnostic)).toEqual([
    `s.yaml:4:20: service 'api' waits until 'db' has completed, but that one is always restarted; write "job: true" in 'db', or another condition`,
  ]);
});

test('values of the environment are what was written, also through anchors', () => {
  const lines = '    environment: &env { VERSION: 1.10, MODE: 0755, ON: True, NAME: x }\n';
  const other = '  - { name: b, command: run, environment: { <<: *env, NAME: y } }\n';
  const [api, b] = servicesOf(readServices(service(lines + other), 's.yaml'));
  expect(api?.environment).toEqual({ VERSION: '1.10', MODE: '0755', ON: 'True', NAME: 'x' });
  expect(b?.environment).toMatchObject({ NAME: 'y', ON: 'true' });
});

test('a secret shows up in no diagnostic, wherever and however the file is broken', () => {
  const text = service('    environment: { PASSWORD: hunter2 }\n    port: 1\n');
  const leaks: string[] = [];
  for (const junk of ['"', "'", '{', '}', '[', '&', '*', '!', '\t', ': ', '- ', '\n', '|', ',', '#', '? ']) {
    for (let at = 0; at <= text.length; at += 1) {
      const broken = text.slice(0, at) + junk + text.slice(at);
      const reading = readServices(broken, 's.yaml');
      const said = [...('errors' in reading ? reading.errors : []), ...reading.warnings].map(formatDiagnostic);
      if (said.some((line) => line.includes('hunter2'))) leaks.push(broken, ...said);
    }
  }
  expect(leaks).toEqual([]);
});

test('never throws, whatever the text', () => {
  const word = fc.constantFrom(
    'services:',
    '- name: a',
    'command: x',
    '\n',
    '  ',
    '&a',
    '*a',
    '<<: ',
    '{',
    '}',
    '[',
    ']',
    '? ',
    ': ',
    '|',
    '"',
    "'",
    '---',
    '!t',
    '__proto__',
    'dependencies: [a]',
    '1',
    'port: ',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(text, (input) => {
      const reading = readServices(input, 's.yaml');
      expect('errors' in reading ? reading.errors : reading.services).toBeInstanceOf(Array);
    }),
    { numRuns: 1_000 },
  );
});

test('a long chain of dependencies is no cycle and no stack overflow', () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `s${index}`);
  const entries = names.map((name, index) => ({
    name,
    command: 'run',
    dependencies: names.slice(index + 1, index + 2),
  }));
  // So many are too many for the bus, and that is all that is wrong with them.
  expect(errorsOf(stringify({ services: entries }))).toEqual([expect.stringContaining('write at most 500 services')]);
});

const many = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);
const mapOf = (names: readonly string[], value: unknown = 'x') =>
  Object.fromEntries(names.map((name) => [name, value]));

test.each([
  ['dependencies', many(65), /^s\.yaml:\d+:\d+.*'dependencies'.*write at most 64 dependencies/],
  ['environment', mapOf(many(256)), /^s\.yaml:\d+:\d+.*'environment'.*write at most 255 variables/],
  ['environment', mapOf(['N'.repeat(129)]), /^s\.yaml:\d+:\d+.*'environment'.*write at most 128 characters/],
  ['labels', mapOf(many(33)), /^s\.yaml:\d+:\d+.*'labels'.*write at most 32 labels/],
  ['labels', { team: '語'.repeat(86) }, /^s\.yaml:\d+:\d+.*'labels\.team'.*write at most 256 bytes/],
  ['health_check_url', `http://localhost/${'x'.repeat(2_000)}`, /^s\.yaml:\d+:\d+.*write at most 2000 characters/],
  ['command', 'x'.repeat(32_769), /^s\.yaml:\d+:\d+.*'command'.*write at most 32768 characters/],
  ['working_directory', `/${'x'.repeat(4_096)}`, /^s\.yaml:\d+:\d+.*write at most 4096 characters/],
])('%s that the bus would not carry is refused at its place', (key, value, expected) => {
  const errors = errorsOf(stringify({ services: [{ name: 'api', command: 'run', [key]: value }] }));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(expected);
});

test('what is written is what is read', () => {
  const id = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/);
  const entry = fc.record(
    {
      name: id,
      command: fc.oneof(
        fc.string({ minLength: 1 }),
        fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
      ),
      environment: fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/), fc.string()),
      auto_restart: fc.boolean(),
      max_restarts: fc.nat(10_000),
      stop_timeout: fc.nat(1_000),
      job: fc.boolean(),
    },
    { requiredKeys: ['name', 'command'] },
  );
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: ({ name }) => name, maxLength: 5 }), (services) => {
      const specs = servicesOf(readServices(stringify({ services }), 's.yaml'));
      expect(specs).toMatchObject(
        services.map((written) => ({
          name: written.name,
          command: written.command,
          environment: { ...written.environment },
          autoRestart: written.auto_restart ?? true,
          maxRestarts: written.max_restarts ?? 10,
          stopTimeoutMs: (written.stop_timeout ?? 10) * 1_000,
          job: written.job ?? false,
        })),
      );
    }),
  );
});

test('the hash of a spec follows its content, not the order of its keys', () => {
  const [first] = servicesOf(readServices('services: [{name: a, command: x, environment: {A: 1, B: 2}}]', 's.yaml'));
  const [second] = servicesOf(readServices('services: [{environment: {B: 2, A: 1}, command: x, name: a}]', 's.yaml'));
  const [other] = servicesOf(readServices('services: [{name: a, command: x, environment: {A: 1, B: 3}}]', 's.yaml'));
  if (!first || !second || !other) throw new Error('three specs expected');
  expect(specHash(first)).toBe(specHash(second));
  expect(specHash(first)).not.toBe(specHash(other));
});
