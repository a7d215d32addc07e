import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Connection, otherEnd } from './proc-net.ts';

/** Rows as Linux prints them, on a little-endian machine: nobody's curl, its server's end, and others. */
const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n';
const FOUR = `${HEAD}   0: 0100007F:1F43 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1529 1 000000002a8110db 100 0 0 10 0                      
   1: 0100007F:E388 0100007F:1F43 01 00000000:00000000 00:00000000 00000000 65534        0 48411 2 0000000017e160c8 20 4 32 26 -1                    
   2: 0100007F:1F43 0100007F:E388 01 00000000:00000000 00:00000000 00000000     0        0 48412 1 00000000207299bd 20 4 32 27 -1                    
   3: 0100007F:E3AC 0100007F:1F43 04 00000000:00000000 01:00000013 00000000     0        0 0 2 00000000657f0233 20 4 32 27 -1                    
   4: 0100007F:E3AD 0100007F:1F43 01 00000000:00000000 00:00000000 00000000     0        0 0 2 00000000657f0233 20 4 32 27 -1                    
   5: 0100007F:E3BC 0100007F:1F43 05 00000000:00000000 01:00000013 00000000     0        0 48554 2 00000000657f0233 20 4 32 27 -1                    
`;
const SIX = `${HEAD}   0: 00000000000000000000000001000000:9B9E 00000000000000000000000001000000:1F43 01 00000000:00000000 00:00000000 00000000  1000        0 48486 2 000000001f 20 4 32 26 -1
   1: 0000000000000000FFFF00000100007F:E38E 0000000000000000FFFF00000100007F:1F43 01 00000000:00000000 00:00000000 00000000  1001        0 48496 2 000000001f 20 4 32 26 -1
`;

const to = (theirPort: number, theirAddress = '127.0.0.1', ourAddress = theirAddress): Connection => ({
  theirAddress,
  theirPort,
  ourAddress,
  ourPort: 8003,
});
const look = (connection: Connection, tables = FOUR + SIX) => otherEnd(tables, connection, 'LE');

test.each([
  ['IPv4', to(0xe388), { uid: 65_534, inode: '48411' }],
  ['IPv4 at a server that hears both', to(0xe388, '::ffff:127.0.0.1'), { uid: 65_534, inode: '48411' }],
  ['IPv6', to(0x9b9e, '::1'), { uid: 1_000, inode: '48486' }],
  ['IPv6, with a zone', to(0x9b9e, '::1%lo', '::1'), { uid: 1_000, inode: '48486' }],
  ['an IPv6 socket with an IPv4 address', to(0xe38e), { uid: 1_001, inode: '48496' }],
  ['the same, written as IPv6', to(0xe38e, '::ffff:7f00:1'), { uid: 1_001, inode: '48496' }],
] as const)('%s', (_name, connection, row) => {
  expect(look(connection)).toEqual(row);
});

test.each([
  ['another port', to(0xe389)],
  ['another address', to(0xe388, '127.0.0.2')],
  ['another address of ours', to(0xe388, '127.0.0.1', '127.0.0.2')],
  ['another port of ours', { ...to(0xe388), ourPort: 8004 }],
  ['our own end, the other way round', { ...to(8003), ourPort: 0xe389 }],
  ['closed, and nobody has it: uid 0', to(0xe3ac)],
  ['established, and nobody has it', to(0xe3ad)],
  ['half closed', to(0xe3bc)],
  ['no address', to(0xe388, 'localhost')],
  ['no address at all', to(0xe388, '')],
])('nobody: %s', (_name, connection) => {
  expect(look(connection)).toBeUndefined();
});

describe('what cannot be trusted is nobody', () => {
  const row = FOUR.split('\n')[2] ?? '';
  test.each([
    ['two rows that contradict each other', `${FOUR}${row.replace('65534', '    0').replace('48411', '48413')}\n`],
    ['a row that is cut off', `${HEAD}${row.slice(0, row.indexOf('48411') + 2)}`],
    ['a uid that is none', FOUR.replace('65534', '-1')],
    ['an inode that is none', FOUR.replace('48411', '4x411')],
    ['nothing', ''],
  ])('%s', (_name, tables) => {
    expect(look(to(0xe388), tables)).toBeUndefined();
  });

  test('the same row twice, as when the table moved under its reader, is one', () => {
    expect(look(to(0xe388), `${FOUR}${row}\n`)).toEqual({ uid: 65_534, inode: '48411' });
  });
});

/** The kernel's own way to print an end. */
function print(bytes: readonly number[], port: number, endianness: 'LE' | 'BE'): string {
  const view = new DataView(Uint8Array.from(bytes).buffer);
  const words = Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4, endianness === 'LE'));
  const hex = (value: number, length: number) => value.toString(16).toUpperCase().padStart(length, '0');
  return `${words.map((word) => hex(word, 8)).join('')}:${hex(port, 4)}`;
}

const port = fc.integer({ min: 1, max: 65_535 });
const four = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });
const six = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 16, maxLength: 16 });
const words = (bytes: readonly number[]) =>
  Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16));
/** As a URL writes it: the longest run of zeros is `::`. */
const short = (bytes: readonly number[]) => new URL(`http://[${words(bytes).join(':')}]/`).hostname.slice(1, -1);

test('property: whatever the addresses, the ports and the byte order, the row is found, and no other', () => {
  const kind = fc.constantFrom('four', 'six', 'mapped');
  const input = [kind, fc.constantFrom('LE', 'BE'), four, four, six, six, port, port] as const;
  fc.assert(
    fc.property(...input, (kind, order, fourA, fourB, sixA, sixB, theirPort, ourPort) => {
      const mapped = (bytes: readonly number[]) => [...Array.from({ length: 10 }, () => 0), 255, 255, ...bytes];
      const rows = { four: [fourA, fourB], six: [sixA, sixB], mapped: [mapped(fourA), mapped(fourB)] }[kind];
      const [theirs = [], ours = []] = rows;
      const [theirAddress, ourAddress] =
        kind === 'six' ? [short(sixA), short(sixB)] : [fourA.join('.'), fourB.join('.')];
      const ends = `${print(theirs, theirPort, order)} ${print(ours, ourPort, order)}`;
      const tables = `${HEAD}   7: ${ends} 01 00000000:00000000 00:00000000 00000000  1234        0 99 1 0 20 4 0 10 -1\n`;
      const connection = { theirAddress, theirPort, ourAddress, ourPort };
      expect(otherEnd(tables, connection, order)).toEqual({ uid: 1_234, inode: '99' });
      const other = { ...connection, theirPort: theirPort === 1 ? 2 : theirPort - 1 };
      expect(otherEnd(tables, other, order)).toBeUndefined();
    }),
  );
});

test('property: no table and no address makes it throw', () => {
  const line = fc.constantFrom(...FOUR.split('\n'), ...SIX.split('\n'), ': 0100007F:E388 0100007F:1F43 01 ');
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), fc.oneof(fc.string(), fc.ipV6()), (lines, address) => {
      expect(() => look(to(0xe388, address, '127.0.0.1'), lines.join('\n'))).not.toThrow();
      expect(() => look(to(0xe388), lines.join('\n'))).not.toThrow();
    }),
  );
});
