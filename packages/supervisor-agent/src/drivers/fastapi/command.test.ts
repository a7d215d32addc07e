import { expect, test } from 'vitest';
import { completeCommand, completeEnvironment } from './command.ts';

test.each([
  ['python web.py --flag "a b"', `'/p y/python3' web.py --flag "a b"`],
  ['python3 web.py', `'/p y/python3' web.py`],
  ['uvicorn web:app --workers 2', `'/p y/python3' '-m' 'uvicorn' web:app --workers 2`],
  ['web.api:app', ['/p y/python3', '-m', 'uvicorn', 'web.api:app', '--port', '8001']],
  [['web:app'], ['/p y/python3', '-m', 'uvicorn', 'web:app', '--port', '8001']],
  [
    ['python', 'web.py'],
    ['/p y/python3', 'web.py'],
  ],
  ['./venv/bin/python web.py', './venv/bin/python web.py'],
  ['gunicorn web:app', 'gunicorn web:app'],
  ['pythonic web.py', 'pythonic web.py'],
  ['', ''],
])('%j becomes %j', (command, completed) => {
  expect(completeCommand(command, '/p y/python3', 8001)).toEqual(completed);
});

test('what the service sets itself wins', () => {
  expect(completeEnvironment({ A: '1' }, 8001)).toEqual({ A: '1', PORT: '8001', PYTHONUNBUFFERED: '1' });
  expect(completeEnvironment({ PORT: '9' }, 8001)).toMatchObject({ PORT: '9' });
  expect(completeEnvironment({})).not.toHaveProperty('PORT');
});
