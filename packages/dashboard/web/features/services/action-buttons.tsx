import { ACTIONS, type Action, type ServiceRow } from '../../../server/protocol/index.ts';
import { capitalize } from '../../ui/format.ts';
import { Icon } from '../../ui/icon.tsx';

const ICONS = { start: 'play', stop: 'stop', restart: 'restart' } as const;

interface Props {
  readonly row: ServiceRow;
  /** The command that is on its way. */
  readonly running: Action | undefined;
  readonly act: (action: Action) => void;
}

export function ActionButtons({ row, running, act }: Props) {
  return (
    <div className="actions" role="group" aria-label={`Actions for ${row.service} on ${row.host}`}>
      {ACTIONS.map((action) => {
        const isAllowed = row.actions.includes(action);
        const isRunning = running === action;
        const why = isAllowed ? undefined : (row.actionsRefusal ?? `nothing to ${action} while it is ${row.state}`);
        return (
          <button
            key={action}
            type="button"
            className={`icon-button action-${action}`}
            data-action={action}
            aria-label={`${capitalize(action)} ${row.service}`}
            title={why === undefined ? capitalize(action) : `${capitalize(action)}: ${why}`}
            disabled={!isAllowed || running !== undefined}
            aria-busy={isRunning}
            onClick={() => act(action)}
          >
            {isRunning ? <span className="spinner" aria-hidden="true" /> : <Icon name={ICONS[action]} />}
            <span className="action-word">{capitalize(action)}</span>
          </button>
        );
      })}
    </div>
  );
}
