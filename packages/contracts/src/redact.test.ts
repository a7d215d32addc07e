import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REDACTED, redact, redactCommand, redactDeep, redactLogLine } from './redact.ts';
import { isSecretName } from './secret-name.ts';
import { secretValues } from './secret-values.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
/** Where a secret may stand; `§` is the secret. */
const PLACES = [
  'prog --password=§',
  'prog --password § --port 80',
  "prog --password='§' --port 80",
  'prog --db-password "§"',
  'prog -password §',
  'prog --token §',
  'prog --api-key=§',
  'prog --apiKey §',
  'prog --client_secret §',
  'prog --PASSWORD §',
  'prog -p §',
  'sh -c "prog -p §"',
  'mkdir -p data && prog -p §',
  'mysql -uroot -p§ db',
  'sshpass -p § ssh host',
  'redis-cli -a § ping',
  'curl -u bob:§ http://x/',
  'curl --user bob:§ http://x/',
  'curl http://bob:§@example.org/',
  'psql postgres://bob:§@db.example.org:5432/app?sslmode=require',
  'redis://:§@cache:6379/0',
  'mongodump bob:§@db.example.org',
  'curl "http://x/?token=§&page=2"',
  'curl http://x/health?a=1&api_key=§',
  'curl http://x/#access_token=§',
  'DB_PASSWORD=§ prog',
  'env API_TOKEN="§" prog',
  'export SECRET_KEY=§; prog',
  'PGPASSWORD=§ psql',
  'MYSQL_PWD=§ mysqldump',
  "curl -H 'Authorization: Bearer §' http://x/",
  'curl -H "Authorization: Basic §" http://x/',
  'curl -H Authorization:§ http://x/',
  'curl -H "X-Api-Key: §" http://x/',
  'curl -H "Cookie: session=§; a=b"',
  `curl -d '{"user":"bob","password":"§"}' http://x/`,
  'curl -d "{\\"password\\":\\"§\\"}" http://x/',
  'prog --set auth.password=§',
  'prog --header "PRIVATE-TOKEN: §"',
  'cannot start: spawn prog --password § ENOENT',
  'password: §',
  'prog --requirepass §',
  'prog --secret-access-key §',
];
/** What nobody can take for anything else, wherever it stands. */
const TOKENS = [
  'AKIAIOSFODNN7EXAMPLE',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
  'github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ',
  'glpat-aBcDeFgHiJkLmNoPqRsT',
  'xoxb-123456789012-abcdefghijkl',
  'sk_live_4eC39HqLyjWDarjtT1zdp7dc',
  'sk-proj-abcdefghijklmnopqrstuvwx',
  'AIzaSyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI',
  'hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ',
  'SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY',
  JWT,
  '9f86d081884c7d659a2feaa0c55ad015',
  'c3RhcnQgb2YgYSBsb25nIHNlY3JldCB0ZXh0IDEyMw==',
  'Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MFFXRVJUWQ',
];
const HARMLESS = [
  'uvicorn app.main:app --host 0.0.0.0 --port 8001',
  'node server.js --path=/x --threads 4',
  'python -m http.server 8000',
  'mkdir -p data/logs',
  'sh -c "mkdir -p out && exec node main.js"',
  'docker run -p 8080:80 nginx:1.25',
  'docker run -u 1000:1000 nginx@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'ssh -p 2222 git@example.org',
  'git clone git@example.org:team/app.git',
  'git checkout 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b',
  'pip install git+https://example.org/app.git@9f86d081884c7d659a2feaa0c55ad015a3bf4f1b',
  'prog --max-tokens 4096 --tokenizer gpt2',
  'prog --token-file /run/secrets/token --key /etc/ssl/private/key.pem',
  'prog --password-file=/etc/app/password --auth-mode basic',
  'prog --creds /home/bob/.muster/keys/agent.creds --key-size 2048',
  'prog --password "$DB_PASSWORD" --token ${API_TOKEN}',
  'prog --no-auth --no-password -v',
  'prog --keyspace users --monkey patch --passive',
  'curl http://127.0.0.1:8001/api/health?full=1&page=2',
  'nats-server --config /home/bob/.muster/nats/nats-server.conf',
  'java -Xmx512m -jar app.jar --spring.profiles.active=prod',
  'find . -print -name x.log',
  'ping -c 3 example.org',
  'liveness probe of http://localhost:8001/api/health failed: timeout, no answer within 1,000 ms',
  'asked to restart by operator/alice; command 0197a3c1-7b5e-7000-8000-0123456789ab',
  "cannot start 'api': spawn /usr/bin/apii ENOENT",
  'port 8001 is held by pid 123 (node)',
  'exit code 1; next attempt in 4 s (3 of 10)',
  'bearer of bad news',
  'token expired',
  'muster bus setup --creds admin.creds --key server.key',
  'correct --creds or MUSTER_BUS_CREDENTIALS',
  'name others with --creds',
  "cannot read credentials '/nowhere/x.creds': no such file",
  'cannot read credentials: ENOENT',
  'token: Expired',
  'rule: host-gone, key: value',
  '/opt/Venv3/lib/python3.11/site-packages/uvicorn/main.py',
  'the list of revoked keys: version 3',
];
const word = fc
  .string({ unit: fc.constantFrom(...'abcdefghijkXYZ0123456789'.split('')), minLength: 8, maxLength: 24 })
  .map((text) => `q${text}7`);

test.each(PLACES)('a secret is taken out of: %s', (place) => {
  fc.assert(
    fc.property(word, (secret) => {
      const safe = redact(place.replaceAll('§', () => secret));
      expect(safe).not.toContain(secret);
      expect(safe).toContain(REDACTED);
    }),
    { numRuns: 20 },
  );
});

test.each(TOKENS)('%s is taken out wherever it stands', (token) => {
  for (const text of [token, `prog ${token}`, `prog --x=${token}`, `prog '${token}' y`, `see "${token}", please`]) {
    expect(redact(text), text).not.toContain(token);
  }
});

test.each(HARMLESS)('left as it is: %s', (text) => {
  expect(redact(text)).toBe(text);
});

test('a private key is taken out with all its lines', () => {
  const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----';
  expect(redact(`key ${key} end`)).toBe(`key ${REDACTED} end`);
});

describe('a list of words', () => {
  test('a secret with spaces and quotes is known as a whole', () => {
    const command = ['prog', '--password', `open "sesame' now`, '--token=a b c', '--port', '8001'];
    expect(redactCommand(command)).toBe(`prog --password ${REDACTED} --token=${REDACTED} --port 8001`);
  });

  test('what a shell is given is looked into', () => {
    expect(redactCommand(['sh', '-c', 'PASSWORD=abcdef prog'])).toBe(`sh -c PASSWORD=${REDACTED} prog`);
  });
});

test('what is redacted already stays as it is', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc.constantFrom(...PLACES, ...TOKENS, ...HARMLESS),
    fc
      .array(
        fc.constantFrom(
          '--password',
          '=',
          ' ',
          '"',
          "'",
          '\\',
          ':',
          '@',
          'token',
          'x://',
          '-p',
          'S3cretS3cret',
          '&',
          'Bearer ',
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(anything, (text) => {
      const once = redact(text);
      expect(redact(once)).toBe(once);
    }),
    { numRuns: 2_000 },
  );
});

test('a long text takes no longer than it should', () => {
  for (const part of [
    'eyJ-',
    'x://',
    '--password ',
    'a:',
    '"',
    "a='",
    '-p ',
    '\\',
    'A1b2C3d4',
    ' a=b',
    'q&w=',
    'bearer ',
  ]) {
    const before = process.cpuUsage();
    redact(part.repeat(Math.ceil((64 * 1024) / part.length)));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000, part).toBeLessThan(5_000);
  }
});

describe('values of an environment', () => {
  const hide = (text: string, environment: Record<string, string>) =>
    redact(text, secretValues(Object.entries(environment)));

  test('are taken out wherever they stand, in an address and in JSON as well', () => {
    const environment = { GREETING: 'open "sesame" now', DB_PASS: 'p@ss', FOO: 'hunter2' };
    const text = 'prog open "sesame" now p@ss xhunter2x open%20%22sesame%22%20now open \\"sesame\\" now p%40ss';
    expect(hide(text, environment)).toBe(
      `prog ${REDACTED} ${REDACTED} x${REDACTED}x ${REDACTED} ${REDACTED} ${REDACTED}`,
    );
  });

  test('but not what is plainly none', () => {
    const environment = {
      PORT: '8001123',
      NODE_ENV: 'production',
      LANG: 'en_US.UTF-8',
      DATA: '/var/lib/data',
      PATH: '/usr/bin:/bin',
      URL: 'http://localhost:8001/api',
      SHORT: 'abc',
      LEVEL: 'warning',
      TZ: 'Europe/Berlin',
    };
    expect(secretValues(Object.entries(environment))).toBeUndefined();
  });

  test('an address with a password is one', () => {
    expect(hide('x postgres://bob:pw@db/app', { DATABASE_URL: 'postgres://bob:pw@db/app' })).toBe(`x ${REDACTED}`);
  });
});

test('names', () => {
  for (const name of [
    'password',
    '--db-password',
    'API_KEY',
    'apiKey',
    'clientSecret',
    'X-Auth-Token',
    'PGPASSWORD',
    'key',
    'SECRET_V2',
    'DB_PASS_RO',
    'private_key',
    'AWS_SECRET_ACCESS_KEY',
  ]) {
    expect(isSecretName(name), name).toBe(true);
  }
  for (const name of [
    'max-tokens',
    'tokenizer',
    'token-file',
    'keyspace',
    'key-size',
    'monkey',
    'public_key',
    'auth_type',
    'SECRET_NAME',
    'author',
    'keysDigest',
    'passive',
    'no-auth',
    'compass',
    'specHash',
  ]) {
    expect(isSecretName(name), name).toBe(false);
  }
});

test('a line of a log stays JSON, and each text in it is looked at', () => {
  const line = `${JSON.stringify({ level: 30, password: 'abc', reason: 'spawn x --token abcdefgh "q" ENOENT', err: { message: 'http://a:b@c/' } })}\n`;
  expect(JSON.parse(redactLogLine(line))).toEqual({
    level: 30,
    password: REDACTED,
    reason: `spawn x --token ${REDACTED} "q" ENOENT`,
    err: { message: `http://a:${REDACTED}@c/` },
  });
  expect(redactDeep(['a', 1, null])).toEqual(['a', 1, null]);
});
