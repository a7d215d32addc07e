import { useEffect, useRef } from 'react';
import type { FILTERS, FilterId } from '../../state/select.ts';
import { Icon } from '../../ui/icon.tsx';

interface Props {
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly filter: FilterId;
  readonly setFilter: (filter: FilterId) => void;
  readonly filters: readonly (typeof FILTERS)[number][];
  readonly counts: Readonly<Record<FilterId, number>>;
}

export function Toolbar({ text, setText, filter, setFilter, filters, counts }: Props) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey;
      if (event.key !== '/' || isTyping) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  return (
    <div className="toolbar" role="search">
      <div className="filters" role="group" aria-label="Filter by state">
        {filters.map(({ id, label }) => (
          <button key={id} type="button" className="filter" aria-pressed={filter === id} onClick={() => setFilter(id)}>
            {label} <span className="filter-count">{counts[id]}</span>
          </button>
        ))}
      </div>
      <label className="search">
        <span className="visually-hidden">Filter by text</span>
        <Icon name="search" />
        <input
          ref={input}
          type="search"
          placeholder="Name, host or reason"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setText('');
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
    </div>
  );
}
