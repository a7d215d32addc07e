import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  freePort,
  type NatsServer,
  startNatsServer,
  type TemporaryDirectory,
  temporaryDirectory,
} from '@muster/testkit';
import { runCli } from './run-cli.ts';

/** A bus with keys and permissions, set up by `muster bus keys` and `muster bus setup` as at a first start. */
export interface TestBus extends AsyncDisposable {
  readonly url: string;
  readonly server: NatsServer;
  readonly keysDir: string;
  /** For every `muster` that is to use this bus. */
  readonly env: Readonly<Record<string, string>>;
}

export async function startTestBus(): Promise<TestBus> {
  const home = await temporaryDirectory();
  try {
    return await startIn(home);
  } catch (error) {
    await home[Symbol.asyncDispose]();
    throw error;
  }
}

async function startIn(home: TemporaryDirectory): Promise<TestBus> {
  const port = await freePort();
  const env = {
    MUSTER_STATE_DIR: join(home.path, 'state'),
    MUSTER_CONFIG_DIR: join(home.path, 'config'),
    MUSTER_HOST: 'web1',
  };
  await mkdir(env.MUSTER_CONFIG_DIR, { recursive: true });
  await writeFile(join(env.MUSTER_CONFIG_DIR, 'agent.yaml'), `bus:\n  listen: 127.0.0.1:${port}\n`);
  await mustSucceed(['bus', 'keys'], env);
  const config = await readFile(join(env.MUSTER_STATE_DIR, 'nats/nats.conf'), 'utf8');
  const server = await startNatsServer({ config, port });
  const keysDir = join(env.MUSTER_STATE_DIR, 'keys');
  const stop = async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  };
  try {
    await mustSucceed(['bus', 'setup'], env);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: server.url, server, keysDir, env, [Symbol.asyncDispose]: stop };
}

async function mustSucceed(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stdout, stderr } = await runCli(args, env);
  if (code !== 0) throw new Error(`muster ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}
