import type { RunSpec } from '../driver.ts';
import { quote } from '../process/spec-file.ts';

/** The form of a FastAPI command. */
export type FastapiCommand =
  /** `rag.api:app`: served by uvicorn. */
  | { readonly kind: 'application'; readonly application: string }
  /** `uvicorn rag.api:app --workers 2`: `rest` begins after the first word. */
  | { readonly kind: 'uvicorn'; readonly rest: string | readonly string[] }
  /** `python rag.py`. */
  | { readonly kind: 'python'; readonly rest: string | readonly string[] }
  /** Anything else brings its own interpreter. */
  | { readonly kind: 'other' };

const APPLICATION = /^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?$/;
const FIRST_WORD = /^\s*(\S+)(.*)$/s;

export function classifyCommand(command: RunSpec['command']): FastapiCommand {
  const [first, rest] =
    typeof command === 'string'
      ? (FIRST_WORD.exec(command) ?? ['', '', '']).slice(1)
      : [command[0] ?? '', command.slice(1)];
  if (typeof first !== 'string' || rest === undefined) return { kind: 'other' };
  if (first === 'python' || first === 'python3') return { kind: 'python', rest };
  if (first === 'uvicorn') return { kind: 'uvicorn', rest };
  const isAlone = typeof rest === 'string' ? rest.trim() === '' : rest.length === 0;
  return isAlone && APPLICATION.test(first) ? { kind: 'application', application: first } : { kind: 'other' };
}

/** The command with its interpreter filled in; a string stays a string, for the shell. */
export function completeCommand(command: RunSpec['command'], python: string, port?: number): RunSpec['command'] {
  const form = classifyCommand(command);
  switch (form.kind) {
    case 'application':
      return [python, '-m', 'uvicorn', form.application, ...(port === undefined ? [] : ['--port', String(port)])];
    case 'uvicorn':
      return withInterpreter([python, '-m', 'uvicorn'], form.rest);
    case 'python':
      return withInterpreter([python], form.rest);
    case 'other':
      return command;
  }
}

/** `PORT` for the application, and logs that are written line by line. What the service sets itself wins. */
export function completeEnvironment(environment: RunSpec['environment'], port?: number): RunSpec['environment'] {
  return { PYTHONUNBUFFERED: '1', ...(port === undefined ? {} : { PORT: String(port) }), ...environment };
}

function withInterpreter(words: readonly string[], rest: string | readonly string[]): RunSpec['command'] {
  return typeof rest === 'string' ? `${words.map(quote).join(' ')}${rest}` : [...words, ...rest];
}
