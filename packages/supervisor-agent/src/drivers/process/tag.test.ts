import { expect, test } from 'vitest';
import { findTag, formatTag, parseTag } from './tag.ts';

test('tags', () => {
  const tag = { agentId: 'a1', service: 'api', instance: 0, generation: 12 };
  expect(parseTag(formatTag(tag))).toEqual(tag);
  expect(findTag('MUSTER_RUN=a1/api/0/12')).toEqual(tag);
  expect(findTag('A=1\0MUSTER_RUN=a1/api/0/12\0B=2\0')).toEqual(tag);
  expect(findTag('A=MUSTER_RUN=a1/api/0/12\0NOT_MUSTER_RUN=a1/api/0/12\0')).toBeUndefined();
  for (const text of ['', 'a/b', 'a/b/c/d', 'a/b/0/1/2', '/b/0/1', 'a/b/-1/1']) expect(parseTag(text)).toBeUndefined();
});
