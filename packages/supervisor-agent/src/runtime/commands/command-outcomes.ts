/** What came of each accepted command: watched until it is done or has failed, also by the agent after the next `kill -9`. */
import { settle, settleLate } from '../../core/command-outcome.ts';
import { keyOf } from '../../state/instance-store.ts';
import type { InstanceRunner } from '../instance/instance-runner.ts';
import type { Listener } from '../listener.ts';
import type { Answer, CommandJournal } from './command-journal.ts';

type AcceptedAct = NonNullable<Answer['act']>;

/** Under way. */
interface Ongoing {
  readonly id: string;
  readonly act: AcceptedAct;
  /** A former agent accepted it, and may have been killed before it acted. */
  readonly isFormer: boolean;
}

export class CommandOutcomes implements Listener {
  readonly #journal: CommandJournal;
  /** By instance: one command at a time, for the next one overtakes it. */
  readonly #ongoing = new Map<string, Ongoing>();

  constructor(journal: CommandJournal) {
    this.#journal = journal;
    for (const [id, { act }] of journal.unsettled()) {
      if (act !== undefined) this.#watch({ id, act, isFormer: true });
    }
  }

  /** It has been written down as accepted, and has just been posted. */
  accepted(id: string, act: AcceptedAct, runner: InstanceRunner): void {
    this.#watch({ id, act, isFormer: false });
    this.transitioned(runner);
  }

  transitioned({ key: { service, instance }, state, lastReason }: InstanceRunner): void {
    const key = keyOf(service, instance);
    const ongoing = this.#ongoing.get(key);
    if (ongoing === undefined) return;
    const { act, isFormer } = ongoing;
    const settled = isFormer ? settleLate(act, state, lastReason) : settle(act, state, lastReason);
    if (settled === undefined) return;
    this.#ongoing.delete(key);
    this.#end(ongoing.id, settled);
  }

  #watch(ongoing: Ongoing): void {
    const key = keyOf(ongoing.act.service, ongoing.act.instance);
    const overtaken = this.#ongoing.get(key);
    if (overtaken !== undefined) {
      this.#end(overtaken.id, { outcome: 'failed', reason: `overtaken: asked to ${ongoing.act.verb} meanwhile` });
    }
    this.#ongoing.set(key, ongoing);
  }

  #end(id: string, settled: NonNullable<Answer['settled']>): void {
    const answer = this.#journal.find(id);
    if (answer !== undefined) this.#journal.record(id, { ...answer, settled });
  }
}
