/** The agent's end of the channel to the launcher that runs it in the foreground. Without one it does nothing. */
import { z } from 'zod';

/** What the agent tells its launcher. */
export type ToLauncher =
  | { readonly type: 'state'; readonly services: Readonly<Record<string, string>> }
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'stopping'; readonly service: string; readonly remaining: number }
  | { readonly type: 'stopped' };

const FromLauncher = z.object({ type: z.literal('shutdown') });

export interface LauncherEvents {
  /** Stop everything in order. */
  readonly onShutdown: () => void;
  /** The launcher is gone. */
  readonly onGone: () => void;
}

export class LauncherLink {
  readonly #process: NodeJS.Process;

  constructor(agentProcess: NodeJS.Process, { onShutdown, onGone }: LauncherEvents) {
    this.#process = agentProcess;
    if (agentProcess.send === undefined) return;
    agentProcess.on('message', (message: unknown) => {
      if (FromLauncher.safeParse(message).success) onShutdown();
    });
    agentProcess.on('disconnect', onGone);
    // It may be gone already, while the agent came up.
    if (!agentProcess.connected) onGone();
  }

  get isLinked(): boolean {
    return this.#process.connected;
  }

  /** Settles when it is sent, or when nobody listens any more. */
  async tell(message: ToLauncher): Promise<void> {
    if (!this.#process.connected) return;
    await new Promise<void>((resolve) => {
      this.#process.send?.(message, undefined, {}, () => resolve());
    });
  }
}
