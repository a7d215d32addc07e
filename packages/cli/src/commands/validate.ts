import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { readServices } from '@muster/contracts/config';
import type { Command } from 'commander';
import type { Act, Context, ExitCode } from '../context.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { renderDiagnostics } from '../render/diagnostics.ts';
import { examples, type JsonOptions } from './options.ts';

export function addValidate(program: Command, act: Act): void {
  program
    .command('validate')
    .summary('check a services.yaml and show everything that is wrong in it')
    .description('Checks a services.yaml and shows everything that is wrong in it, each with its place. Needs no bus.')
    .argument('[file]', 'default: services.yaml of the configuration folder')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('muster validate', 'muster validate deploy/services.yaml --json'))
    .action(act(validate));
}

async function validate(
  file: string | undefined,
  { json, ...flags }: JsonOptions,
  { terminal, readSettings }: Context,
): Promise<ExitCode> {
  const settings = readSettings(flags);
  const path = file ?? relative(process.cwd(), join(settings.configDir, 'services.yaml'));
  const text = await read(path);
  const reading = readServices(text, path, { host: settings.hostId });
  const errors = 'errors' in reading ? reading.errors : [];
  const { warnings } = reading;
  if (json) {
    terminal.printJson({ file: path, valid: errors.length === 0, errors, warnings });
  } else {
    const { paint } = terminal;
    terminal.print(
      ...renderDiagnostics('error', errors, text, paint),
      ...renderDiagnostics('warning', warnings, text, paint),
    );
    const services = 'services' in reading ? `${count(reading.services.length, 'service')}, ` : '';
    const result = errors.length === 0 ? paint('good', 'valid') : paint('bad', count(errors.length, 'error'));
    terminal.print(
      `${path}: ${services}${result}${warnings.length === 0 ? '' : `, ${count(warnings.length, 'warning')}`}`,
    );
  }
  return errors.length === 0 ? EXIT.ok : EXIT.failed;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : String(code ?? error);
    throw new CliError('usage', `cannot read '${path}': ${reason}: name the file, as in: muster validate FILE`, {
      cause: error,
    });
  }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
