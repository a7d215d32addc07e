import { atMostOfPeer, type Finding } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { openRawEcho } from '../raw-nats.ts';
import { median, usPerPiece } from '../statistics.ts';
import { MAX_QUESTIONS, startTreeBus, type TreeBus } from '../tree-bus.ts';

/** As fast as the tree before, but for what cannot be told from noise. */
const GOAL_RATIO = 1.05;

export const command: Measure = {
  name: 'command',
  includes:
    'a question of an operator to an agent and its answer, one after the other: validated, signed and verified at both ends, over a server with keys and permissions; the peer is a bare request of the client library to a bare answer. With --before DIR (another checkout, built) its bus in the same run, in turns, asking and publishing as in `publish`',
  async run({ rootDir, beforeDir, isQuick, signal, say }) {
    const questions = isQuick ? 500 : MAX_QUESTIONS;
    const messages = isQuick ? 5_000 : 20_000;
    const rounds = isQuick ? 5 : 15;
    await using ours = await startTreeBus(rootDir, signal);
    await using before = beforeDir === undefined ? undefined : await startTreeBus(beforeDir, signal);
    await using echo = await openRawEcho();
    const asking = new Times();
    const publishing = new Times();
    for (let round = 0; round < rounds; round += 1) {
      say(`command: round ${round + 1} of ${rounds}`);
      signal.throwIfAborted();
      await asking.take('raw', questions, () => echo.ask(questions));
      for (const [name, tree] of inTurns(ours, before, round)) {
        await asking.take(name, questions, () => tree.ask(questions));
        if (before !== undefined) await publishing.take(name, messages, () => tree.publish(messages));
      }
    }
    const findings: Finding[] = [
      {
        what: 'a question and its answer, median of rounds',
        unit: 'µs',
        ours: asking.median('ours'),
        peer: { name: 'client library', value: asking.median('raw') },
      },
    ];
    if (before !== undefined) {
      for (const [what, times] of [
        ['a question and its answer', asking],
        ['a message into a stream', publishing],
      ] as const) {
        findings.push({
          what: `${what}, beside the tree before`,
          unit: 'µs',
          ours: times.median('ours'),
          peer: { name: 'before', value: times.median('before') },
          goal: atMostOfPeer(GOAL_RATIO),
        });
      }
    }
    return { counts: `${rounds} rounds of ${questions} questions`, findings };
  },
};

/** Who goes first changes, so that neither always finds the machine as the other left it. */
function inTurns(ours: TreeBus, before: TreeBus | undefined, round: number): readonly (readonly [string, TreeBus])[] {
  if (before === undefined) return [['ours', ours]];
  const both = [
    ['ours', ours],
    ['before', before],
  ] as const;
  return round % 2 === 0 ? both : [...both].reverse();
}

/** µs for each piece of work, by whose it was. */
class Times {
  readonly #taken = new Map<string, number[]>();

  async take(name: string, count: number, work: () => Promise<void>): Promise<void> {
    const all = this.#taken.get(name) ?? [];
    all.push(await usPerPiece(count, work));
    this.#taken.set(name, all);
  }

  median(name: string): number {
    return median(this.#taken.get(name) ?? []);
  }
}
