import { useEffect, useRef } from 'react';
import type { KeyedRow } from '../../state/select.ts';

/** Asks once more before a stop, for a stop is the one action that leaves people without a service. */
export function StopDialog({
  keyed,
  answer,
}: {
  readonly keyed: KeyedRow | undefined;
  readonly answer: (isConfirmed: boolean) => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (keyed === undefined) dialog.current?.close();
    else dialog.current?.showModal();
  }, [keyed]);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="stop-title" onCancel={() => answer(false)}>
      {keyed !== undefined && (
        <>
          <h2 id="stop-title">Stop {keyed.row.service}?</h2>
          <p>
            It stops on <strong>{keyed.row.host}</strong> and stays stopped, also after a reboot, until somebody starts
            it again. What depends on it may suffer.
          </p>
          <div className="dialog-buttons">
            <button type="button" className="button" autoFocus onClick={() => answer(false)}>
              Keep it running
            </button>
            <button type="button" className="button button-danger" onClick={() => answer(true)}>
              Stop it
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}
