import type { Socket } from 'node:net';
import type { ProbePhases } from '@muster/contracts';

/** The steps of one request, in order. Each ends when the next begins. */
const STEPS = ['resolve', 'connect', 'tls', 'processing', 'transfer'] as const;
export type Step = (typeof STEPS)[number];

/** Notes when each step ended. A step that did not happen (no name to resolve, no TLS) takes no time. */
export class PhaseClock {
  readonly #startedMs = performance.now();
  readonly #endedMs: number[] = [];

  /** The step that is going on. */
  get step(): Step {
    return STEPS[this.#endedMs.length] ?? 'transfer';
  }

  /** `step` has just ended, and with it every step before it. */
  ended(step: Step): void {
    const nowMs = performance.now();
    while (this.#endedMs.length < STEPS.indexOf(step)) this.#skip();
    if (this.step === step) this.#endedMs.push(nowMs);
  }

  /** Follows a socket through name resolution, connection and, if `isTls`, the handshake. */
  follow(socket: Socket, isTls: boolean): void {
    socket.once('lookup', () => this.ended('resolve'));
    socket.once('connect', () => {
      this.ended('connect');
      if (!isTls) this.#skip();
    });
    if (isTls) socket.once('secureConnect', () => this.ended('tls'));
  }

  /** The step that would go on now does not happen. */
  #skip(): void {
    this.#endedMs.push(this.#endedMs.at(-1) ?? this.#startedMs);
  }

  /** The time until now, in all and by step; the step that is going on has the rest. */
  measure(): { readonly durationMs: number; readonly phases: ProbePhases } {
    const nowMs = performance.now();
    const spentMs = (step: number) => {
      const fromMs = step === 0 ? this.#startedMs : (this.#endedMs[step - 1] ?? nowMs);
      return (this.#endedMs[step] ?? nowMs) - fromMs;
    };
    return {
      durationMs: nowMs - this.#startedMs,
      phases: {
        resolveMs: spentMs(0),
        connectMs: spentMs(1),
        tlsMs: spentMs(2),
        processingMs: spentMs(3),
        transferMs: spentMs(4),
      },
    };
  }
}
