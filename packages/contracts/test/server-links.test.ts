/*
 * TLS between servers: routes of a cluster, and links of sites. Two real servers each time, of which the second connects to
 * the first; what is wrong is set right afterwards, so that nothing but that can have kept them apart.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BusTrust,
  type Identity,
  leafCredentialsFile,
  leafServerConfig,
  mintCertificates,
  mintKeys,
  natsServerConfig,
  serverTlsFiles,
} from '@muster/contracts/keys';
import { eventually, freePort, startNatsServer, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const environment = 'test';
const host = '127.0.0.1';
const ADMIN: Identity = { role: 'admin', id: 'setup' };
const FIRST = 'server-n1';
/** Files of a server that is the second of a cluster, or of a site: here one certificate for either. */
const SECOND = 'leaf-berlin';

let home: TemporaryDirectory;
let trust: BusTrust;
let own: string;
let stranger: string;

beforeAll(async () => {
  home = await temporaryDirectory();
  own = join(home.path, 'own');
  stranger = join(home.path, 'stranger');
  trust = await mint(own);
  await mint(stranger);
});
afterAll(() => home[Symbol.asyncDispose]());

async function mint(directory: string, firstNames: readonly string[] = [host]): Promise<BusTrust> {
  const minted = await mintKeys({ directory, environment, identities: [ADMIN], leafSites: ['berlin'] });
  const furtherServers = [
    { file: FIRST, names: firstNames },
    { file: SECOND, names: [host] },
  ];
  await mintCertificates({ directory, environment, identities: [ADMIN], furtherServers });
  return minted.trust;
}

interface Ends {
  /** Where each has its files. */
  readonly first: string;
  readonly second: string;
  /** Where the first listens for the second. */
  readonly port: number;
  /** Where the second of a cluster listens. */
  readonly secondPort: number;
  /** Of the first, for questions by HTTP. */
  readonly monitorPort: number;
}

/** One way in which servers are linked. */
interface Link {
  readonly firstConfig: (ends: Ends) => string;
  readonly secondConfig: (ends: Ends) => string;
  /** Where the first tells what it is linked with. */
  readonly monitor: '/routez' | '/leafz';
}

/** What clients see is right in any case. */
const general = () => ({ environment, host, port: 4222, trust, tls: serverTlsFiles(own, FIRST) });

const LINKS: Readonly<Record<string, Link>> = {
  route: {
    firstConfig: ({ first, port }) => clusterConfig({ directory: first, file: FIRST, port, routes: [] }),
    secondConfig: ({ second, secondPort, port }) =>
      clusterConfig({ directory: second, file: SECOND, port: secondPort, routes: [port] }),
    monitor: '/routez',
  },
  leaf: {
    firstConfig: ({ first, port }) =>
      natsServerConfig({
        ...general(),
        storeDir: join(first, 'jetstream'),
        leafNodes: { host, port, tls: serverTlsFiles(first, FIRST) },
      }),
    secondConfig: ({ second, port }) =>
      leafServerConfig({
        ...general(),
        site: 'berlin',
        hub: [{ host, port }],
        hubTls: serverTlsFiles(second, SECOND),
        credentialsFile: leafCredentialsFile(second, 'berlin'),
      }),
    monitor: '/leafz',
  },
};

interface ClusterServer {
  readonly directory: string;
  readonly file: string;
  readonly port: number;
  /** Ports of others. */
  readonly routes: readonly number[];
}

function clusterConfig({ directory, file, port, routes }: ClusterServer): string {
  return natsServerConfig({
    ...general(),
    storeDir: join(directory, 'jetstream'),
    serverName: file,
    cluster: {
      listen: { host, port, tls: serverTlsFiles(directory, file) },
      routes: [port, ...routes].map((route) => ({ host, port: route })),
      password: 'of-the-test',
    },
  });
}

/** By the first's own word, the ports from which the second's connections come. */
async function linksOf({ monitorPort }: Ends, { monitor }: Link): Promise<readonly number[]> {
  const answer = await fetch(`http://${host}:${monitorPort}${monitor}`);
  // Where there are none, 2.9 says null.
  const { routes, leafs } = (await answer.json()) as Record<string, readonly { port: number }[] | null | undefined>;
  return [...(routes ?? []), ...(leafs ?? [])].map(({ port }) => port);
}

async function areLinked(ends: Ends, link: Link): Promise<boolean> {
  return (await linksOf(ends, link)).length > 0;
}

async function endsIn(place: string): Promise<Ends> {
  const [port, secondPort, monitorPort] = [await freePort(), await freePort(), await freePort()];
  const ends = { first: join(place, 'first'), second: join(place, 'second'), port, secondPort, monitorPort };
  await setRight(ends);
  return ends;
}

async function setRight({ first, second }: Ends): Promise<void> {
  for (const directory of [first, second]) await cp(own, directory, { recursive: true });
}

function configsOf(ends: Ends, link: Link) {
  return {
    firstConfig: `${link.firstConfig(ends)}http: "${host}:${ends.monitorPort}"\n`,
    secondConfig: link.secondConfig(ends),
  };
}

/** The last `tls` is the link's; the first is the clients'. */
function withoutLinkTls(config: string): string {
  return config.replace(/(tls \{[^}]+\}[^]*?)^ +tls \{.+\}$/mu, '$1');
}

function withoutLinkCertificate(config: string): string {
  return config.replace(/^( +tls \{ )cert_file: "[^"]+", key_file: "[^"]+", /mu, '$1');
}

interface Case {
  /** What is wrong with the files of one, or with its configuration. */
  readonly spoil?: (ends: Ends) => Promise<unknown>;
  readonly first?: (config: string) => string;
  readonly second?: (config: string) => string;
  readonly says: 'first' | 'second';
  readonly why: RegExp;
}

const copy = (from: string, to: string, ...names: readonly string[]) =>
  Promise.all(names.map((name) => cp(join(from, name), join(to, name))));

/** Go shows none when it has none of an authority that is asked for. */
const NO_CERTIFICATE = /handshake error: .*didn't provide a certificate/;

const CASES: Readonly<Record<string, Case>> = {
  'a second with a certificate of another CA': {
    spoil: ({ second }) => copy(stranger, second, `${SECOND}.crt`, `${SECOND}.key`),
    says: 'first',
    why: NO_CERTIFICATE,
  },
  'a second without a certificate': {
    second: withoutLinkCertificate,
    says: 'first',
    why: NO_CERTIFICATE,
  },
  'a second without TLS': {
    second: withoutLinkTls,
    says: 'first',
    why: /handshake error/,
  },
  'a first of another CA': {
    spoil: ({ second }) => copy(stranger, second, 'ca.crt'),
    says: 'second',
    why: /handshake error: .*unknown authority/,
  },
  'a first with a certificate for another name': {
    spoil: ({ first }) => mint(first, ['elsewhere.example.org']),
    says: 'second',
    why: /handshake error: .*cannot validate certificate for 127\.0\.0\.1/,
  },
  'a first without TLS': {
    first: withoutLinkTls,
    says: 'second',
    why: /connection closed: TLS Handshake Failure/,
  },
};

const ROWS = Object.keys(LINKS).flatMap((link) => Object.keys(CASES).map((what) => [link, what] as const));

test.each(ROWS)('a %s does not come about: %s', async (linkName, what) => {
  const link = LINKS[linkName] as Link;
  const { spoil, first: spoilFirst, second: spoilSecond, says, why } = CASES[what] as Case;
  await using place = await temporaryDirectory();
  const ends = await endsIn(place.path);
  await spoil?.(ends);
  const { firstConfig, secondConfig } = configsOf(ends, link);
  await using first = await startNatsServer({ config: spoilFirst?.(firstConfig) ?? firstConfig });
  await using second = await startNatsServer({ config: spoilSecond?.(secondConfig) ?? secondConfig, jetstream: false });
  const speaker = says === 'first' ? first : second;
  await eventually(() => why.test(speaker.log()), { message: `the ${says} says ${String(why)}` });
  expect(await areLinked(ends, link)).toBe(false);

  await setRight(ends);
  if (spoil === undefined) {
    await first.restart({ config: firstConfig });
    await second.restart({ config: secondConfig });
  } else {
    for (const server of [first, second]) await server.kill('SIGHUP');
  }
  await eventually(() => areLinked(ends, link), { message: 'a link' });
});

test.each(Object.keys(LINKS))('a %s stays while both ends read renewed certificates on HUP', async (linkName) => {
  const link = LINKS[linkName] as Link;
  await using place = await temporaryDirectory();
  const ends = await endsIn(place.path);
  const { firstConfig, secondConfig } = configsOf(ends, link);
  await using first = await startNatsServer({ config: firstConfig });
  await using second = await startNatsServer({ config: secondConfig, jetstream: false });
  await eventually(() => areLinked(ends, link), { message: 'a link' });
  const before = await linksOf(ends, link);
  await rm(join(ends.first, `${FIRST}.crt`));
  await rm(join(ends.second, `${SECOND}.crt`));
  await mint(ends.first);
  await mint(ends.second);
  for (const server of [first, second]) {
    await server.kill('SIGHUP');
    await eventually(() => server.log().includes('Reloaded server configuration'), { message: 'a reload' });
  }
  expect(await linksOf(ends, link)).toEqual(expect.arrayContaining([...before]));

  await second.restart();
  await eventually(
    async () => {
      const after = await linksOf(ends, link);
      return after.length > 0 && !after.some((port) => before.includes(port));
    },
    { message: 'a link with the renewed certificates' },
  );
});
