/**
 * Who may restart an instance for its health: few at a time, so that a sick judge or bus cannot restart a fleet. A tenth
 * of the fleet, and of each host a tenth. Any host may be in the hands of a thief: what it says of itself counts for
 * no more than what the largest of the others says, and when there is too little room for all, hosts take turns.
 */

/** One granted permission. */
export interface Slot {
  readonly host: string;
  /** Key of the instance. */
  readonly instance: string;
  /** The run that was to be replaced. */
  readonly generation: number;
  /** Monotonic ms: over by then, whatever came of it and however often it is asked for meanwhile. */
  readonly deadlineMs: number;
}

/** A host that found no room. */
export interface Waiting {
  readonly host: string;
  /** It keeps its turn as long as it goes on asking. */
  readonly askedAtMs: number;
}

export interface Recoveries {
  readonly slots: readonly Slot[];
  /** In the order in which they first found no room; each host once. */
  readonly waiting: readonly Waiting[];
}

export const NO_RECOVERIES: Recoveries = { slots: [], waiting: [] };

export interface Ask {
  readonly host: string;
  readonly instance: string;
  readonly generation: number;
}

export interface RecoveryContext {
  readonly nowMs: number;
  /** How many instances each host has that is heard: see `countInstances`. */
  readonly counts: ReadonlyMap<string, number>;
  readonly slotMs: number;
}

export interface SlotGrant {
  readonly granted: boolean;
  readonly reason: string;
  /** How long the slot is held from now on; 0 when it is not granted. */
  readonly leftMs: number;
  readonly recoveries: Recoveries;
}

/** An agent asks at each failed probe from the third on, by default each 10 s. Who asks no more has given up. */
const TURN_KEPT_MS = 30_000;

/** As much of an instance as tells whether there is one. */
export interface CountedInstance {
  readonly host: string;
  readonly isUp: boolean;
  /** Below the number of instances that its service is configured to have. */
  readonly isConfigured: boolean;
}

/** Of hosts that are heard: what runs, is wanted, and is configured. */
export function countInstances(
  instances: Iterable<CountedInstance>,
  isAlive: (host: string) => boolean,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { host, isUp, isConfigured } of instances) {
    if (isUp && isConfigured && isAlive(host)) counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return trimmed(counts);
}

/** How many instances of `count` may be restarted for their health at once: a tenth, at least one. */
export function slotLimit(count: number): number {
  return Math.max(1, Math.floor(count / 10));
}

/** Asking again for an instance whose slot is held is granted again, takes no other slot and no more time. */
export function askForSlot(recoveries: Recoveries, asked: Ask, context: RecoveryContext): SlotGrant {
  const { nowMs, counts, slotMs } = context;
  const slots = recoveries.slots.filter(({ deadlineMs }) => deadlineMs > nowMs);
  const waiting = recoveries.waiting.filter(({ askedAtMs }) => nowMs - askedAtMs <= TURN_KEPT_MS);
  const fleet = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const limit = slotLimit(fleet);
  const use = `of ${limit} for a fleet of ${fleet}`;
  const refuse = (reason: string, queue: readonly Waiting[]): SlotGrant => ({
    granted: false,
    reason,
    leftMs: 0,
    recoveries: { slots, waiting: queue },
  });

  const own = slots.find(({ instance }) => instance === asked.instance);
  if (own !== undefined) {
    const renewed = slots.map((slot) => (slot === own ? { ...own, generation: asked.generation } : slot));
    const reason = `it holds a recovery slot already (${slots.length} ${use})`;
    return { granted: true, reason, leftMs: own.deadlineMs - nowMs, recoveries: { slots: renewed, waiting } };
  }
  const quota = slotLimit(counts.get(asked.host) ?? 0);
  const held = slots.filter(({ host }) => host === asked.host).length;
  const free = limit - slots.length;
  const full = `all recovery slots are taken (${slots.length} ${use})`;
  if (held >= quota) {
    return refuse(free <= 0 ? full : `all recovery slots of its host are taken (${held} of ${quota})`, waiting);
  }

  const turn = waiting.findIndex(({ host }) => host === asked.host);
  const queue =
    turn === -1
      ? [...waiting, { host: asked.host, askedAtMs: nowMs }]
      : waiting.map((each, i) => (i === turn ? { ...each, askedAtMs: nowMs } : each));
  if (free <= 0) return refuse(full, queue);
  const ahead = turn === -1 ? waiting.length : turn;
  if (ahead >= free) return refuse(`hosts that asked before come first (${ahead} for ${free} free ${use})`, queue);

  const slot: Slot = { ...asked, deadlineMs: nowMs + slotMs };
  return {
    granted: true,
    reason: `recovery slot ${slots.length + 1} ${use}`,
    leftMs: slotMs,
    recoveries: { slots: [...slots, slot], waiting: waiting.filter(({ host }) => host !== asked.host) },
  };
}

/** The instance is well again under a newer run, gone, or nobody wants it up any more: its slot is free. */
export function releaseSlot(recoveries: Recoveries, instance: string, generation: number): Recoveries {
  const isKept = (slot: Slot) => slot.instance !== instance || slot.generation >= generation;
  return recoveries.slots.every(isKept) ? recoveries : { ...recoveries, slots: recoveries.slots.filter(isKept) };
}

/** A host can invent instances: the largest counts for as many as the second largest. Alone it is the fleet. */
function trimmed(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const [, second] = [...counts.values()].sort((a, b) => b - a);
  if (second === undefined) return counts;
  return new Map([...counts].map(([host, count]) => [host, Math.min(count, second)]));
}
