import { BlockList, isIP } from 'node:net';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, embeddedIpv4, formatNetwork, parseAddress, parseNetwork } from './address.ts';

test.each([
  ['10.1.2.3', 4, 0x0a010203n],
  ['::', 6, 0n],
  ['::1', 6, 1n],
  ['1::', 6, 1n << 112n],
  ['FE80::1%eth0', 6, (0xfe80n << 112n) | 1n],
  ['1:2:3:4:5:6:7:8', 6, 0x1_0002_0003_0004_0005_0006_0007_0008n],
  ['::ffff:127.0.0.1', 4, 0x7f000001n],
  ['::ffff:7f00:1', 4, 0x7f000001n],
] as const)('%s is read', (text, family, value) => {
  expect(parseAddress(text)).toEqual({ family, value });
});

test.each(['', 'web1', '10.0.0', '10.0.0.256', '010.0.0.1', '0x7f.1', '1::2::3', '::1]/', ':', '::/0'])(
  '%j is no address',
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test.each(['10.0.0.1/8', '10.0.0.0/33', 'fd00::1/8', '::/129', '10.0.0.0/', '/8', 'web1/8', 'fe80::%1/10'])(
  '%j is no network',
  (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  },
);

test('any text is an address exactly when the system says so, and in a network when its block list says so', () => {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant(4 as const)),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant(6 as const)),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.ipV4(),
        fc.ipV6(),
        fc.string().map((any) => any.replaceAll('%', '')),
      ),
      network,
      (text, [base, prefix, family]) => {
        const address = parseAddress(text);
        expect(address !== undefined).toBe(isIP(text) !== 0);
        const start = parseAddress(base);
        if (address === undefined || start?.family !== family || address.family !== family) return;
        const bits = BigInt((family === 4 ? 32 : 128) - prefix);
        const parsed = { family, value: (start.value >> bits) << bits, prefix };
        const list = new BlockList();
        list.addSubnet(base, prefix, `ipv${family}`);
        expect(contains(parsed, address)).toBe(list.check(text, `ipv${family}`));
        expect(parseNetwork(formatNetwork(parsed))).toEqual(parsed);
      },
    ),
    { numRuns: 500 },
  );
});

test.each([
  ['64:ff9b::127.0.0.1'],
  ['64:ff9b:1::127.0.0.1'],
  ['::127.0.0.1'],
  ['::ffff:0:127.0.0.1'],
  ['2002:7f00:1::'],
  ['2001:0:4136:e378:8000:63bf:80ff:fffe'],
  ['fe80::5efe:7f00:1'],
  ['2001:db8::200:5efe:127.0.0.1'],
])('%s leads to 127.0.0.1', (text) => {
  const address = parseAddress(text);
  expect(address && embeddedIpv4(address)).toEqual(parseAddress('127.0.0.1'));
});

test.each(['2001:db8::1', 'fd00::7f00:1', '10.0.0.1', '::1'])('%s leads to itself', (text) => {
  const address = parseAddress(text);
  expect(address && embeddedIpv4(address)).toBeUndefined();
});
