import type { ReactNode } from 'react';
import type { RowStatus } from '../../server/protocol/index.ts';

/** A shape for each status, so that nothing is told by colour alone. */
const SHAPES: Readonly<Record<RowStatus, ReactNode>> = {
  good: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="m4.9 8.2 2.1 2.1 4.1-4.4" className="mark-ink" />
    </>
  ),
  bad: (
    <>
      <path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" fill="currentColor" />
      <path d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8" className="mark-ink" />
    </>
  ),
  warn: (
    <>
      <path d="M8 1.2 15.4 14.4H.6z" fill="currentColor" />
      <path d="M8 6v3.6M8 11.8v.3" className="mark-ink" />
    </>
  ),
  busy: (
    <>
      <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.6" opacity="0.4" />
      <path
        d="M8 1.8a6.2 6.2 0 0 1 6.2 6.2"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
      />
    </>
  ),
  unknown: (
    <>
      <path
        d="M8 .8 15.2 8 8 15.2.8 8z"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeDasharray="2.6 1.6"
      />
      <path
        d="M6.4 6.6A1.7 1.7 0 1 1 8 8.6v.6M8 11v.3"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.4"
        strokeLinecap="round"
      />
    </>
  ),
  idle: (
    <rect x="2.6" y="2.6" width="10.8" height="10.8" rx="2.4" fill="none" stroke="currentColor" strokeWidth="1.6" />
  ),
};

export function Mark({ status }: { readonly status: RowStatus }) {
  return (
    <svg className={`mark mark-${status}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[status]}
    </svg>
  );
}
