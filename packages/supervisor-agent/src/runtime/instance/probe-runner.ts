/**
 * Runs the startup, readiness and liveness probes of one run, with Kubernetes' meaning: liveness and readiness wait
 * for startup, thresholds count answers in a row, and a timeout is a failure. What it finds goes to the core as events;
 * what it saw goes out as votes.
 */
import { Deadline } from '@muster/contracts';
import type { ProbeCheck, ProbeKind, ProbeSpec } from '@muster/contracts/config';
import type { ProbeResult } from '@muster/probes';
import { monotonicNowMs } from '../../host/clock.ts';

/** Asks once. The deadline is in `signal`. */
type Ask = (check: ProbeCheck, signal: AbortSignal) => Promise<ProbeResult>;

export type ProbeFinding =
  | { readonly type: 'startup-passed' }
  | { readonly type: 'startup-failed'; readonly reason: string }
  | { readonly type: 'ready' }
  | { readonly type: 'not-ready'; readonly reason: string }
  | { readonly type: 'liveness-failed'; readonly reason: string };

export interface ProbeRunnerOptions {
  readonly probes: { readonly [K in ProbeKind]?: ProbeSpec };
  readonly ask: Ask;
  readonly onFinding: (finding: ProbeFinding) => void;
  readonly onResult: (purpose: ProbeKind, check: ProbeCheck, result: ProbeResult) => void;
}

/** While a service starts it is asked sooner than its period, so that it is ready soon after it can answer. */
const FIRST_STARTUP_PAUSE_MS = 50;

export class ProbeRunner implements Disposable {
  readonly #options: ProbeRunnerOptions;
  readonly #stop = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: ProbeRunnerOptions) {
    this.#options = options;
  }

  /** From `startup`, readiness and liveness wait for it; from `readiness`, startup is past. */
  start(from: 'startup' | 'readiness'): void {
    const { startup } = this.#options.probes;
    if (from === 'startup' && startup !== undefined) this.#runStartup(startup);
    else this.#runSteady();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #runStartup(spec: ProbeSpec): void {
    const startedAtMs = monotonicNowMs();
    const timeToStartMs = spec.periodMs * spec.failureThreshold;
    let pauseMs = FIRST_STARTUP_PAUSE_MS;
    const again = (waitMs: number): void =>
      this.#after(waitMs, async () => {
        const result = await this.#askOnce('startup', spec);
        if (result === undefined) return;
        if (result.status === 'up') {
          this.#options.onFinding({ type: 'startup-passed' });
          this.#runSteady();
          return;
        }
        if (monotonicNowMs() - startedAtMs - spec.initialDelayMs >= timeToStartMs) {
          this.#options.onFinding({ type: 'startup-failed', reason: describe('startup', spec, result) });
          return;
        }
        pauseMs = Math.min(pauseMs * 1.5, spec.periodMs);
        again(pauseMs);
      });
    again(spec.initialDelayMs);
  }

  /**
   * Readiness and liveness of one check are asked once and judged twice: `health_check_url` means both, and a service
   * should not be asked the same thing two times.
   */
  #runSteady(): void {
    const { readiness, liveness } = this.#options.probes;
    const judges = { readiness: readiness && new Readiness(readiness), liveness: liveness && new Liveness(liveness) };
    if (readiness !== undefined && liveness !== undefined && isSameQuestion(readiness, liveness)) {
      this.#repeat(['readiness', 'liveness'], readiness, judges);
      return;
    }
    if (readiness !== undefined) this.#repeat(['readiness'], readiness, judges);
    if (liveness !== undefined) this.#repeat(['liveness'], liveness, judges);
  }

  #repeat(
    purposes: readonly ('readiness' | 'liveness')[],
    spec: ProbeSpec,
    judges: { readonly readiness: Readiness | undefined; readonly liveness: Liveness | undefined },
  ): void {
    const again = (waitMs: number): void =>
      this.#after(waitMs, async () => {
        const askedAtMs = monotonicNowMs();
        const result = await this.#askOnce(purposes[0] as ProbeKind, spec);
        if (result === undefined) return;
        for (const purpose of purposes) {
          const finding = judges[purpose]?.judge(result);
          if (finding !== undefined) this.#options.onFinding(finding);
        }
        again(Math.max(0, spec.periodMs - (monotonicNowMs() - askedAtMs)));
      });
    again(spec.initialDelayMs);
  }

  /** `undefined` when the probes were stopped meanwhile. */
  async #askOnce(purpose: ProbeKind, spec: ProbeSpec): Promise<ProbeResult | undefined> {
    using deadline = new Deadline(spec.timeoutMs, this.#stop.signal);
    const result = await this.#options.ask(spec.check, deadline.signal);
    if (this.#stop.signal.aborted) return undefined;
    this.#options.onResult(purpose, spec.check, result);
    return result;
  }

  #after(waitMs: number, action: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stop.signal.aborted) void action();
    }, waitMs);
    this.#timers.add(timer);
  }
}

/** Turns only after enough answers in a row; says so once. */
class Readiness {
  readonly #spec: ProbeSpec;
  #isReady: boolean | undefined;
  #successes = 0;
  #failures = 0;

  constructor(spec: ProbeSpec) {
    this.#spec = spec;
  }

  judge(result: ProbeResult): ProbeFinding | undefined {
    if (result.status === 'up') {
      this.#failures = 0;
      this.#successes += 1;
      if (this.#isReady === true || this.#successes < this.#spec.successThreshold) return undefined;
      this.#isReady = true;
      return { type: 'ready' };
    }
    this.#successes = 0;
    this.#failures += 1;
    // A service that was never ready is not ready at its first failure: there is nothing to hold on to.
    const threshold = this.#isReady === true ? this.#spec.failureThreshold : 1;
    if (this.#isReady === false || this.#failures < threshold) return undefined;
    this.#isReady = false;
    return { type: 'not-ready', reason: describe('readiness', this.#spec, result) };
  }
}

/** Counts only once the service has answered: a run that never did is the startup probe's affair. */
class Liveness {
  readonly #spec: ProbeSpec;
  #hasAnswered = false;
  #failures = 0;

  constructor(spec: ProbeSpec) {
    this.#spec = spec;
  }

  judge(result: ProbeResult): ProbeFinding | undefined {
    if (result.status === 'up') {
      this.#hasAnswered = true;
      this.#failures = 0;
      return undefined;
    }
    if (!this.#hasAnswered) return undefined;
    this.#failures += 1;
    // Said again each time, since permission to restart may have been refused the last time.
    if (this.#failures < this.#spec.failureThreshold) return undefined;
    return { type: 'liveness-failed', reason: describe('liveness', this.#spec, result) };
  }
}

function isSameQuestion(a: ProbeSpec, b: ProbeSpec): boolean {
  const rhythm = (spec: ProbeSpec) => [spec.check, spec.periodMs, spec.timeoutMs, spec.initialDelayMs];
  return JSON.stringify(rhythm(a)) === JSON.stringify(rhythm(b));
}

/** For people: `liveness probe of http://localhost:8001/api/health failed: timeout, no answer within 1,000 ms`. */
function describe(purpose: ProbeKind, spec: ProbeSpec, result: Exclude<ProbeResult, { status: 'up' }>): string {
  const target = spec.check.kind === 'http' ? spec.check.url : `tcp ${spec.check.host}:${spec.check.port}`;
  return `${purpose} probe of ${target} failed: ${result.reason}, ${result.detail}`;
}
