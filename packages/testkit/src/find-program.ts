import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where the distribution installs, whatever PATH says. */
const SYSTEM_FOLDER = '/usr/bin';
const BROWSERS = ['chromium', 'google-chrome', 'chromium-browser'];

/**
 * A Python that imports all of these modules: the first `python3` on PATH, else the distribution's, for which apt-get
 * installs. `undefined` when neither does, or there is none.
 */
export function findPython(...modules: readonly string[]): string | undefined {
  const program = modules.map((name) => `import ${name}`).join('\n');
  const candidates = new Set([find('python3'), join(SYSTEM_FOLDER, 'python3')]);
  return [...candidates].find(
    (path) => path !== undefined && spawnSync(path, ['-c', program], { stdio: 'ignore' }).status === 0,
  );
}

/** A browser for playwright: `CHROMIUM` of the environment, else the first Chromium or Chrome on PATH. */
export function findChromium(): string | undefined {
  return process.env['CHROMIUM'] || BROWSERS.map(find).find((path) => path !== undefined);
}

/** The first program of this name on PATH or in the system's folder. */
function find(name: string): string | undefined {
  return [...(process.env['PATH'] ?? '').split(delimiter), SYSTEM_FOLDER]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}
