import type { Action } from '../../server/protocol/index.ts';
import type { CommandOutcome, FleetSource, Target, WhyOutcome } from '../../server/source/fleet-source.ts';
import type { Fact } from '../../server/view/fleet.ts';

/** A source whose facts and answers the test decides. */
export class ScriptedSource implements FleetSource {
  readonly commands: { readonly action: Action; readonly target: Target; readonly actor: string }[] = [];
  answer: (action: Action, target: Target) => Promise<CommandOutcome> = async (action) => ({
    outcome: 'accepted',
    commandId: 'command-1',
    code: 'ok',
    reason: `${action} begins`,
  });
  story: (target: Target) => Promise<WhyOutcome> = async () => ({ from: 'agent', steps: [] });
  #learn: ((fact: Fact) => void) | undefined;

  follow(learn: (fact: Fact) => void): void {
    this.#learn = learn;
  }

  tell(...facts: readonly Fact[]): void {
    for (const fact of facts) this.#learn?.(fact);
  }

  async command(action: Action, target: Target, actor: string): Promise<CommandOutcome> {
    this.commands.push({ action, target, actor });
    return this.answer(action, target);
  }

  async why(target: Target): Promise<WhyOutcome> {
    return this.story(target);
  }
}
