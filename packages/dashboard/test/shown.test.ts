/* What the page shows is text, and comes in by one door. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const WEB = join(import.meta.dirname, '../web');
const SOURCES = readdirSync(WEB, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /(?<!\.test)\.tsx?$/.test(name),
);

test.each(SOURCES)('%s', (name) => {
  const text = readFileSync(join(WEB, name), 'utf8');
  expect(text, 'markup from a text').not.toMatch(
    /dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write/,
  );
  expect(text, 'texts that `parseShown` has not seen').not.toMatch(/JSON\.parse|\.json\(\)/);
});
