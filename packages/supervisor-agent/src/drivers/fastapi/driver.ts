import {
  type Driver,
  describeInstance,
  type InstanceKey,
  type NothingFound,
  type Orphan,
  type Run,
  type RunEnded,
  type RunSpec,
  type StartFailed,
} from '../driver.ts';
import { classifyCommand, completeCommand, completeEnvironment } from './command.ts';
import { InterpreterFinder } from './interpreter.ts';

/** A process with defaults: an interpreter that has FastAPI, uvicorn for `module:app`, `PORT`. */
export class FastapiDriver implements Driver {
  readonly #process: Driver;
  readonly #interpreters = new InterpreterFinder();

  constructor(process: Driver) {
    this.#process = process;
  }

  async start(spec: RunSpec, signal: AbortSignal): Promise<Run | StartFailed> {
    const complete = await this.#complete(spec);
    return 'kind' in complete ? complete : this.#process.start(complete, signal);
  }

  recover(instance: InstanceKey, signal: AbortSignal): Promise<Run | RunEnded | NothingFound | Orphan> {
    return this.#process.recover(instance, signal);
  }

  async prepare(spec: RunSpec): Promise<void> {
    const complete = await this.#complete(spec);
    if (!('kind' in complete)) await this.#process.prepare?.(complete);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  async #complete(spec: RunSpec): Promise<RunSpec | StartFailed> {
    const environment = completeEnvironment(spec.environment, spec.port);
    if (classifyCommand(spec.command).kind === 'other') return { ...spec, environment };
    const interpreter = await this.#interpreters.find(environment);
    if (interpreter.kind === 'missing') {
      const reason = `cannot start ${describeInstance(spec)}: ${interpreter.reason}`;
      return { kind: 'start-failed', isRetryable: true, reason };
    }
    return { ...spec, environment, command: completeCommand(spec.command, interpreter.path, spec.port) };
  }
}
