/** What came of each accepted command: watched until it is done or has failed, also by the agent after the next `kill -9`. */
import { type Act, settle, settleLate } from '../../core/command-outcome.ts';
import type { State } from '../../core/state.ts';
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
  accepted(id: string, act: AcceptedAct, state: State): void {
    this.#watch({ id, act, isFormer: false });
    this.#look(keyOf(act.service, act.instance), state);
  }

  transitioned({ key, state }: InstanceRunner): void {
    this.#look(keyOf(key.service, key.instance), state);
  }

  #watch(ongoing: Ongoing): void {
    const key = keyOf(ongoing.act.service, ongoing.act.instance);
    const overtaken = this.#ongoing.get(key);
    if (overtaken !== undefined) {
      this.#end(overtaken.id, { outcome: 'failed', reason: `overtaken: asked to ${ongoing.act.verb} meanwhile` });
    }
    this.#ongoing.set(key, ongoing);
  }

  #look(key: string, state: State): void {
    const ongoing = this.#ongoing.get(key);
    if (ongoing === undefined) return;
    const act: Act = ongoing.act;
    const settled = ongoing.isFormer ? settleLate(act, state) : settle(act, state);
    if (settled === undefined) return;
    this.#ongoing.delete(key);
    this.#end(ongoing.id, settled);
  }

  #end(id: string, settled: NonNullable<Answer['settled']>): void {
    const answer = this.#journal.find(id);
    if (answer !== undefined) this.#journal.record(id, { ...answer, settled });
  }
}
