import type { Readiness, VerdictName } from '@muster/contracts';
import type { Mood, ServiceRow } from '../../../server/protocol/index.ts';
import { Mark } from '../../ui/mark.tsx';
import { None } from '../../ui/none.tsx';

const VERDICT_WORDS: Readonly<Record<VerdictName, { readonly mood: Mood; readonly word: string }>> = {
  healthy: { mood: 'good', word: 'Healthy' },
  degraded: { mood: 'warn', word: 'Degraded' },
  partial: { mood: 'warn', word: 'Partly reachable' },
  unhealthy: { mood: 'bad', word: 'Unhealthy' },
  unknown: { mood: 'unknown', word: 'Not judged' },
};

const READY_WORDS: Readonly<Record<Readiness, string>> = {
  yes: 'Ready',
  no: 'Not ready',
  unknown: 'Not known',
};

const MOOD_OF_READINESS: Readonly<Record<Readiness, Mood>> = { yes: 'good', no: 'warn', unknown: 'unknown' };

/** What the probers say, and what its own agent says. Nothing is asked of a service that doesn't run. */
export function HealthCell({ row }: { readonly row: ServiceRow }) {
  const { health, ready, state } = row;
  // A prober may still see a service whose host is not heard; readiness is for its own agent to say.
  const isJudged =
    state === 'running' ||
    state === 'starting' ||
    (health !== undefined && health.verdict !== 'unknown' && state === 'unknown');
  if (!isJudged) return <None />;
  const verdict = health === undefined ? undefined : VERDICT_WORDS[health.verdict];
  return (
    <div className="health">
      {health !== undefined && verdict !== undefined && (
        <span className={`health-verdict text-${verdict.mood}`} title={health.reason}>
          <Mark mood={verdict.mood} />
          {verdict.word}
          {health.hardness === 'soft' && health.verdict !== 'unknown' && <span className="soft"> confirming</span>}
        </span>
      )}
      {health === undefined ? (
        <span className={`health-verdict text-${MOOD_OF_READINESS[ready]}`}>
          <Mark mood={MOOD_OF_READINESS[ready]} />
          {READY_WORDS[ready]}
        </span>
      ) : (
        <span className={ready === 'no' ? 'readiness text-warn' : 'readiness'}>{READY_WORDS[ready]}</span>
      )}
    </div>
  );
}
