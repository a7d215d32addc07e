/** What the core wants done. The runtime carries effects out in order and answers with events. */
export type Effect =
  /**
   * Start this run; answered by `spawned`, `start-failed` or `orphan-found`. The driver first clears away what is
   * left of earlier runs.
   */
  | { readonly do: 'spawn'; readonly generation: number }
  /** Ask the tree to stop; answered by `tree-gone`. A spawn under way may be called off (`start-failed`). */
  | { readonly do: 'signal-tree'; readonly generation: number; readonly signal: string }
  /** SIGKILL all that is left of the tree; answered by `tree-gone`. */
  | { readonly do: 'kill-tree'; readonly generation: number }
  /** Ask for permission to restart for health; answered by `recovery-granted` or `recovery-denied`. */
  | { readonly do: 'ask-recovery'; readonly generation: number; readonly reason: string }
  /** From `startup`: readiness and liveness wait for the startup probe. From `readiness`: startup is past. */
  | { readonly do: 'start-probes'; readonly generation: number; readonly from: 'startup' | 'readiness' }
  | { readonly do: 'stop-probes'; readonly generation: number }
  /** Send `deadline` then. Replaces the previous one: an instance has one deadline. */
  | { readonly do: 'wake-at'; readonly atMs: number }
  | { readonly do: 'clear-wake' };
