import { expect, test } from 'vitest';
import { parseAccount } from './accounts.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
muster-bus:x:999:998:Muster:/nonexistent:/usr/sbin/nologin
muster-bus2:x:997:996::/srv:/bin/sh
broken:x::1::/:/bin/sh
short:x:1
homeless:x:5:6:::/bin/sh
`;

test.each([
  ['root', { name: 'root', uid: 0, gid: 0, home: '/root' }],
  ['muster-bus', { name: 'muster-bus', uid: 999, gid: 998, home: '/nonexistent' }],
  ['homeless', { name: 'homeless', uid: 5, gid: 6, home: '/nonexistent' }],
  ['muster', undefined],
  ['broken', undefined],
  ['short', undefined],
  ['', undefined],
])('%s in /etc/passwd is %j', (name, account) => {
  expect(parseAccount(PASSWD, name)).toEqual(account);
});
