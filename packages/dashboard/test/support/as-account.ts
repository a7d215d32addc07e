import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { isRoot } from '@muster/testkit';

export interface Asked {
  /** An address; default 127.0.0.1. */
  readonly address?: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Told {
  /** 101: the socket was opened. */
  readonly status: number;
  readonly body: string;
  /** Which connection it came over. */
  readonly localPort: number;
}

/** Asks one after the other over as few connections as the server allows. Runs anywhere: it reads no file. */
const CLIENT = `
const { Agent, request } = require('node:http');
const { port, questions } = JSON.parse(process.argv[1]);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const ask = ({ address = '127.0.0.1', method = 'GET', path, headers = {}, body }) =>
  new Promise((resolve, reject) => {
    const sent = request({ agent, host: address, port, method, path, headers: { host: '127.0.0.1:' + port, ...headers } });
    let localPort = 0;
    sent.on('socket', (socket) => {
      const note = () => { localPort = socket.localPort; };
      if (socket.connecting) socket.once('connect', note); else note();
    });
    sent.on('upgrade', (_response, socket) => { socket.destroy(); resolve({ status: 101, body: '', localPort }); });
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, body: text, localPort }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
(async () => {
  const answers = [];
  for (const question of questions) answers.push(await ask(question));
  process.stdout.write(JSON.stringify(answers));
  process.exit(0);
})();
`;

/** Why this test cannot be somebody else; `undefined` when it can. */
export function whyNobodyElse(): string | undefined {
  return isRoot ? undefined : 'needs root to become another account';
}

/** What another account is told. `through` is a program that runs the rest of its arguments, such as unshare. */
export async function askAs(
  uid: number,
  port: number,
  questions: readonly Asked[],
  through: readonly string[] = [],
): Promise<readonly Told[]> {
  const words = [...through, process.execPath, '-e', CLIENT, JSON.stringify({ port, questions })];
  const [program = '', ...args] = words;
  const env = { PATH: process.env['PATH'] };
  const { stdout } = await promisify(execFile)(program, args, { uid, gid: uid, cwd: '/', env });
  return JSON.parse(stdout) as Told[];
}

/** Whether another account can run a program that lies there. */
export function canBeRead(path: string, uid: number): boolean {
  const script = 'require("node:fs").accessSync(process.argv[1])';
  return spawnSync(process.execPath, ['-e', script, path], { uid, gid: uid, cwd: '/' }).status === 0;
}
