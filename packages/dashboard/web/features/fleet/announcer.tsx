import { useEffect, useRef, useState } from 'react';
import type { PageData } from '../../../server/protocol/index.ts';
import { announce } from '../../state/select.ts';

/** Tells changes to screen readers, in one polite region, so that the table itself stays quiet. */
export function Announcer({ page }: { readonly page: PageData | undefined }) {
  const last = useRef<PageData>(undefined);
  const [words, setWords] = useState('');
  useEffect(() => {
    const news = announce(last.current, page);
    last.current = page;
    if (news !== '') setWords(news);
  }, [page]);
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {words}
    </div>
  );
}
