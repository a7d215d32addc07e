import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { RetentionChanges } from '@muster/contracts';
import { readRetention } from '@muster/contracts/config';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import { renderDiagnostics } from '../render/diagnostics.ts';
import type { Terminal } from '../terminal.ts';

/** What agent.yaml wants the streams to keep. @throws CliError (usage) when that can't be read, once it has shown where */
export async function readRetentionOf({ configDir }: Settings, terminal: Terminal): Promise<RetentionChanges> {
  const file = join(configDir, 'agent.yaml');
  const shown = relative(process.cwd(), file);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new CliError('usage', `cannot read '${shown}': ${error.code}`, { cause: error });
  });
  const reading = readRetention(text, shown);
  if ('retention' in reading) return reading.retention;
  terminal.note(...renderDiagnostics('error', reading.errors, text, terminal.paint));
  throw new CliError('usage', `cannot tell what the streams are to keep: '${shown}' has errors`);
}
