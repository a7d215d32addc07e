/** Who may restart an instance for its health: few at a time, so that a sick judge or bus cannot restart a fleet. */

/** One granted permission. */
export interface Slot {
  /** `<host>/<service>/<instance>`. */
  readonly instance: string;
  /** The run that was to be replaced. */
  readonly generation: number;
  /** Monotonic ms: over by then, whatever came of it. */
  readonly deadlineMs: number;
}

export interface Grant {
  readonly granted: boolean;
  readonly reason: string;
  readonly slots: readonly Slot[];
}

/** How many instances may be restarted for their health at once: a tenth of the fleet, at least one. */
export function slotLimit(instances: number): number {
  return Math.max(1, Math.floor(instances / 10));
}

/** Asking again for the same run while its slot is held is granted again and costs nothing. */
export function askForSlot(
  slots: readonly Slot[],
  asked: { readonly instance: string; readonly generation: number },
  context: { readonly nowMs: number; readonly instances: number; readonly slotMs: number },
): Grant {
  const held = slots.filter((slot) => slot.deadlineMs > context.nowMs);
  const others = held.filter((slot) => slot.instance !== asked.instance);
  const limit = slotLimit(context.instances);
  const use = `of ${limit} for a fleet of ${context.instances}`;
  if (others.length >= limit) {
    return { granted: false, reason: `all recovery slots are taken (${others.length} ${use})`, slots: held };
  }
  const slot: Slot = { ...asked, deadlineMs: context.nowMs + context.slotMs };
  return { granted: true, reason: `recovery slot ${others.length + 1} ${use}`, slots: [...others, slot] };
}

/** The instance is well again under a newer run, or nobody wants it up any more: its slot is free. */
export function releaseSlot(slots: readonly Slot[], instance: string, generation: number): readonly Slot[] {
  return slots.filter((slot) => slot.instance !== instance || slot.generation >= generation);
}
