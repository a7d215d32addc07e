import { useEffect } from 'react';
import type { Notice } from '../../state/state.ts';
import type { Store } from '../../state/store.ts';
import { Icon } from '../../ui/icon.tsx';
import { Mark } from '../../ui/mark.tsx';

/** Good news goes by itself; a refusal stays until it has been read. */
const GOOD_NEWS_MS = 8_000;

export function NoticeList({ notices, store }: { readonly notices: readonly Notice[]; readonly store: Store }) {
  return (
    <div className="notices" role="status" aria-live="polite">
      {notices.map((notice) => (
        <NoticeCard
          key={notice.id}
          notice={notice}
          dismiss={() => store.dispatch({ type: 'notice-dismissed', id: notice.id })}
        />
      ))}
    </div>
  );
}

function NoticeCard({ notice, dismiss }: { readonly notice: Notice; readonly dismiss: () => void }) {
  const { tone, title, text } = notice;
  useEffect(() => {
    if (tone !== 'good') return;
    const timer = setTimeout(dismiss, GOOD_NEWS_MS);
    return () => clearTimeout(timer);
  }, [tone, dismiss]);
  return (
    <div className={`notice tone-${tone}`}>
      <Mark status={tone} />
      <div className="notice-text">
        <p className="notice-title">{title}</p>
        <p>{text}</p>
      </div>
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={dismiss}>
        <Icon name="close" />
      </button>
    </div>
  );
}
