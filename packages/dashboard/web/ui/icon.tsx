import type { ReactNode } from 'react';

/** 16 × 16, drawn in the colour of the text. Decoration only: what it means stands beside it or in the label. */
const SHAPES = {
  play: <path d="M5 3.2v9.6L12.6 8z" fill="currentColor" stroke="none" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" stroke="none" />,
  restart: <path d="M12.8 6.2A5.2 5.2 0 1 0 13.2 9M13 2.8v3.6H9.4" />,
  chevron: <path d="m6 4 4 4-4 4" />,
  close: <path d="m4.5 4.5 7 7m0-7-7 7" />,
  search: <path d="M7.2 11.9a4.7 4.7 0 1 0 0-9.4 4.7 4.7 0 0 0 0 9.4zM10.7 10.7l3 3" />,
  arrow: <path d="M3 8h9.5M9 4.5 12.5 8 9 11.5" />,
} as const satisfies Record<string, ReactNode>;

export function Icon({ name }: { readonly name: keyof typeof SHAPES }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[name]}
    </svg>
  );
}
