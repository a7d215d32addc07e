import { fileURLToPath } from 'node:url';
import { describeRunning, findRunning } from './instance-lock.mjs';
import { HELP, readOptions } from './options.mjs';
import { Progress } from './progress.mjs';
import { reportRefusal } from './refusal.mjs';
import { setUp } from './set-up.mjs';

/**
 * `npm start` on a Node that is new enough: what is up to date is skipped, so a second start reaches the launcher at once. The launcher
 * runs in this same process: see there for what happens next.
 *
 * @returns {Promise<number>} exit code
 */
export async function start() {
  const progress = new Progress(process.stdout, process.env);
  const { env } = process;
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  try {
    const paths = readOptions(process.argv.slice(2), env, fileURLToPath(new URL('../..', import.meta.url)));
    if (paths.help) {
      progress.say(HELP);
      return 0;
    }
    const running = findRunning(paths.stateDir);
    if (running) {
      progress.announce(describeRunning(running));
      return 0;
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, interrupt);
    const natsServer = await setUp({ ...paths, env, progress }, interrupted.signal);
    // Imported here and not above: it needs packages that a fresh clone does not have before the set-up.
    const { launch } = await import('../launcher.mjs');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, interrupt);
    interrupted.signal.throwIfAborted();
    return await launch({ paths, natsServer, progress, env });
  } catch (error) {
    if (interrupted.signal.aborted) {
      progress.say('Interrupted: nothing was started');
      return 1;
    }
    return reportRefusal(error, process.stderr);
  }
}
