import { type AlertData, type AlertEvent, rows, type Verdict } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { TestBus } from '@muster/contracts/testing';

export const ENVIRONMENT = 'test';

export function startTestBus(): Promise<TestBus> {
  return TestBus.start([
    { role: 'agent', id: 'web1' },
    { role: 'agent', id: 'web2' },
    { role: 'prober', id: 'main' },
    { role: 'prober', id: 'spare' },
    { role: 'dashboard', id: 'main' },
    { role: 'operator', id: 'cli' },
  ]);
}

/** What a subscriber of alerts and verdicts hears, in order. */
export class Listener {
  readonly alerts: AlertEvent[] = [];
  readonly verdicts: Verdict[] = [];
  /** By alert id, in monotonic ms. */
  readonly heardAtMs = new Map<string, number>();
  readonly bus: Bus;

  static async start(testBus: TestBus): Promise<Listener> {
    const bus = await testBus.connect({ role: 'dashboard', id: 'main' });
    const listener = new Listener(bus);
    bus.subscribe(rows.alert, {}, (alert) => {
      // A sender that doesn't know how its last attempt went sends again; the id tells.
      if (listener.heardAtMs.has(alert.id)) return;
      listener.heardAtMs.set(alert.id, performance.now());
      listener.alerts.push(alert);
    });
    bus.subscribe(rows.health, {}, (verdict) => listener.verdicts.push(verdict));
    await bus.flush();
    return listener;
  }

  private constructor(bus: Bus) {
    this.bus = bus;
  }

  /** The alerts that are in their stream, as `<rule> <state>`. */
  async stored(filter: Partial<Pick<AlertData, 'host' | 'service' | 'rule'>> = {}): Promise<string[]> {
    const stored = await this.bus.history(rows.alert, filter);
    return stored.map(({ message }) => brief(message));
  }
}

export function brief({ data: { rule, state } }: AlertEvent): string {
  return `${rule} ${state}`;
}
