/** Every state's answer to every event: a new state is one row, a new event one cell in each. */
import type { Row } from './handler.ts';
import { backoff } from './rows/backoff.ts';
import { completed } from './rows/completed.ts';
import { failed } from './rows/failed.ts';
import { orphaned } from './rows/orphaned.ts';
import { pending } from './rows/pending.ts';
import { running } from './rows/running.ts';
import { starting } from './rows/starting.ts';
import { stopped } from './rows/stopped.ts';
import { stopping } from './rows/stopping.ts';
import { unknown } from './rows/unknown.ts';
import type { StateName } from './state.ts';

export const table = {
  pending,
  starting,
  running,
  backoff,
  stopping,
  stopped,
  completed,
  failed,
  orphaned,
  unknown,
} satisfies { readonly [N in StateName]: Row<N> };
