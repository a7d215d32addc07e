import type { Readiness, VerdictName } from '@muster/contracts';
import type { RowStatus, ServiceRow } from '../../../server/protocol/index.ts';
import { Mark } from '../../ui/mark.tsx';
import { None } from '../../ui/none.tsx';

const VERDICT_WORDS: Readonly<Record<VerdictName, { readonly status: RowStatus; readonly word: string }>> = {
  healthy: { status: 'good', word: 'Healthy' },
  degraded: { status: 'warn', word: 'Degraded' },
  partial: { status: 'warn', word: 'Partly reachable' },
  unhealthy: { status: 'bad', word: 'Unhealthy' },
  unknown: { status: 'unknown', word: 'Not judged' },
};

const READY_WORDS: Readonly<Record<Readiness, string>> = {
  yes: 'Ready',
  no: 'Not ready',
  unknown: 'Not known',
};

const STATUS_OF_READINESS: Readonly<Record<Readiness, RowStatus>> = { yes: 'good', no: 'warn', unknown: 'unknown' };

/** What the probers say, and what its own agent says. A service that does not run has no health. */
export function HealthCell({ row }: { readonly row: ServiceRow }) {
  const { health, ready, state } = row;
  // A prober may still reach a service while nobody hears its host. Readiness comes from the agent alone.
  const isJudged =
    state === 'running' ||
    state === 'starting' ||
    (health !== undefined && health.verdict !== 'unknown' && state === 'unknown');
  if (!isJudged) return <None />;
  const verdict = health === undefined ? undefined : VERDICT_WORDS[health.verdict];
  return (
    <div className="health">
      {health !== undefined && verdict !== undefined && (
        <span className={`health-verdict text-${verdict.status}`} title={health.reason}>
          <Mark status={verdict.status} />
          {verdict.word}
          {health.hardness === 'soft' && health.verdict !== 'unknown' && <span className="soft"> confirming</span>}
        </span>
      )}
      {health === undefined ? (
        <span className={`health-verdict text-${STATUS_OF_READINESS[ready]}`}>
          <Mark status={STATUS_OF_READINESS[ready]} />
          {READY_WORDS[ready]}
        </span>
      ) : (
        <span className={ready === 'no' ? 'readiness text-warn' : 'readiness'}>{READY_WORDS[ready]}</span>
      )}
    </div>
  );
}
