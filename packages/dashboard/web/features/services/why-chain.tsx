import { useEffect, useState } from 'react';
import type { ServiceRow, WhyAnswer, WhyStep } from '../../../server/protocol/index.ts';
import { fetchWhy } from '../../api/rest.ts';
import { formatDuration } from '../../ui/format.ts';
import { Icon } from '../../ui/icon.tsx';

type Loading =
  | { readonly status: 'loading' }
  | { readonly status: 'failed'; readonly reason: string }
  | { readonly status: 'loaded'; readonly answer: WhyAnswer };

/** The story of one instance, newest first; asked for again whenever its state changes. */
export function WhyChain({ row }: { readonly row: ServiceRow }) {
  const [loading, setLoading] = useState<Loading>({ status: 'loading' });
  const { host, service, instance, lastState, reason, isConfirmed } = row;
  useEffect(() => {
    const controller = new AbortController();
    fetchWhy(row, controller.signal).then(
      (answer) => setLoading({ status: 'loaded', answer }),
      (error: unknown) => {
        if (!controller.signal.aborted)
          setLoading({ status: 'failed', reason: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => controller.abort();
    // The row is a new object with every sample. The story is read again only when it has a new step.
  }, [host, service, instance, lastState, reason, isConfirmed]);

  if (loading.status === 'loading') return <p className="why-note">Asking for its story…</p>;
  if (loading.status === 'failed') return <p className="why-note">{loading.reason}</p>;
  const { steps, from } = loading.answer;
  return (
    <div className="why">
      <h3>Why</h3>
      {row.health !== undefined && <p className="why-health">Health: {row.health.reason}</p>}
      {steps.length === 0 ? (
        <p className="why-note">Nothing has happened yet.</p>
      ) : (
        <ol>
          {steps.map((step) => (
            <Step key={step.id} step={step} />
          ))}
        </ol>
      )}
      {from === 'stream' && <p className="why-note">Its agent does not answer: this is what the bus has stored.</p>}
    </div>
  );
}

function Step({ step }: { readonly step: WhyStep }) {
  return (
    <li className="step">
      <time className="step-age" dateTime={step.time} title={step.time}>
        {step.ageMs === undefined ? step.time.slice(11, 19) : `${formatDuration(step.ageMs)} ago`}
      </time>
      <span className="step-change">
        {step.from} <Icon name="arrow" /> <strong>{step.to}</strong>
      </span>
      <span className="step-reason">
        {step.reason}
        {step.exit !== undefined && <span className="tag">{step.exit}</span>}
        {step.causes.length > 0 && (
          <span className="step-causes" title={step.causes.join('\n')}>
            because of {step.causes.map((cause) => cause.slice(-8)).join(', ')}
          </span>
        )}
      </span>
    </li>
  );
}
