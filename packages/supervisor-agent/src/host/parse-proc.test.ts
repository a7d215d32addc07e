import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  parseCpuTimes,
  parseDisks,
  parseIo,
  parseLoad,
  parseMemory,
  parseMounts,
  parseNics,
  parseOsRelease,
  parsePageSize,
  parsePressure,
  parseProcess,
  parseUptime,
} from './parse-proc.ts';

// Captured on Debian 12 with Linux 6.1 and 6.18, shortened.

test('/proc/stat', () => {
  const text = `cpu  8240 5 3650 85198 410 2 77 90 0 0
cpu0 3688 5 1583 43468 47 2 13 40 0 0
cpu2 4551 0 2066 41730 363 0 63 50 0 0
intr 1234567 0 0 0
ctxt 2345678
btime 1732382797
`;
  expect([...parseCpuTimes(text)]).toEqual([
    ['cpu', { user: 8240, nice: 5, system: 3650, idle: 85198, iowait: 410, irq: 2, softirq: 77, steal: 90 }],
    ['cpu0', { user: 3688, nice: 5, system: 1583, idle: 43468, iowait: 47, irq: 2, softirq: 13, steal: 40 }],
    ['cpu2', { user: 4551, nice: 0, system: 2066, idle: 41730, iowait: 363, irq: 0, softirq: 63, steal: 50 }],
  ]);
});

test('/proc/meminfo', () => {
  const text = `MemTotal:       24684084 kB
MemFree:        23967436 kB
MemAvailable:   24140892 kB
Buffers:            2992 kB
SwapCached:            0 kB
SwapTotal:       1048572 kB
SwapFree:        1040380 kB
`;
  expect(parseMemory(text)).toEqual({
    memoryTotalBytes: 24_684_084 * 1024,
    memoryAvailableBytes: 24_140_892 * 1024,
    swapTotalBytes: 1_048_572 * 1024,
    swapFreeBytes: 1_040_380 * 1024,
  });
  expect(parseMemory('MemTotal: 1 kB\n')).toBeUndefined();
});

test('/proc/loadavg and /proc/uptime', () => {
  expect(parseLoad('0.07 1.34 0.94 1/86 5619\n')).toEqual({ load1: 0.07, load5: 1.34, load15: 0.94 });
  expect(parseLoad('')).toBeUndefined();
  expect(parseUptime('490.54 851.99\n')).toBe(490.54);
  expect(parseUptime('')).toBeUndefined();
});

test('/proc/pressure, also where cpu has no full line', () => {
  const some = 'some avg10=1.51 avg60=1.38 avg300=3.89 total=36304352\n';
  const full = 'full avg10=25.00 avg60=0.34 avg300=0.26 total=1231\n';
  expect(parsePressure(some + full)).toEqual({ someRatio: 0.0151, fullRatio: 0.25 });
  expect(parsePressure(some)).toEqual({ someRatio: 0.0151 });
  expect(parsePressure('')).toEqual({});
});

test('/proc/diskstats: whole disks that were used', () => {
  const text = `   7       0 loop0 5 0 10 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 100 5 2048 30 200 9 4096 60 0 90 120 0 0 0 0 7 3
 259       1 nvme0n1p1 90 5 2000 30 200 9 4096 60 0 90 120 0 0 0 0 0 0
   8       0 sda 7 0 8 1 0 0 0 0 0 4 1 0 0 0 0 0 0
   8       1 sda1 7 0 8 1 0 0 0 0 0 4 1 0 0 0 0 0 0
 202       1 xvda1 3 0 16 1 0 0 0 0 0 4 1 0 0 0 0
 253       0 dm-0 1 0 8 1 0 0 0 0 0 4 1
 253       1 vdb 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`;
  const disks = parseDisks(text);
  expect(disks.map(({ name }) => name)).toEqual(['nvme0n1', 'sda', 'xvda1', 'dm-0']);
  expect(disks[0]).toEqual({
    name: 'nvme0n1',
    reads: 100,
    readBytes: 1_048_576,
    writes: 200,
    writtenBytes: 2_097_152,
    busyMs: 90,
  });
});

test('/proc/net/dev: interfaces that carried something, names glued to numbers included', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  ifb0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
veth12: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0
  eth0:480251574   13228    3    0    0     0          0         0   959355    8178    4    0    0     0       0          0
`;
  expect(parseNics(text)).toEqual([
    { name: 'eth0', receivedBytes: 480_251_574, receiveErrors: 3, transmittedBytes: 959_355, transmitErrors: 4 },
  ]);
});

test('/proc/mounts: local file systems, each device once, at its shortest path', () => {
  const text = `proc /proc proc rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
/dev/vda1 /var/lib/docker ext4 rw 0 0
/dev/vda1 / ext4 rw,relatime 0 0
/dev/sdb1 /srv/my\\040disk xfs rw 0 0
/dev/loop3 /snap/core/1 squashfs ro 0 0
nas:/export /mnt/nas nfs4 rw 0 0
tank/data /tank zfs rw 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
`;
  expect(parseMounts(text)).toEqual([
    { device: '/dev/vda1', path: '/', fsType: 'ext4' },
    { device: '/dev/sdb1', path: '/srv/my disk', fsType: 'xfs' },
    { device: 'tank/data', path: '/tank', fsType: 'zfs' },
  ]);
});

const STAT_TAIL =
  '15145 15145 3862 0 -1 4194304 98 0 0 0 12 34 5 6 20 0 3 0 133050 3133440 390 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 1 1 1 1 1 1 0';

test.each(['cat', 'tmux: server', 'a) S 1 (b', '((sd-pam))', 'x\ny', ')', ''])('/proc/<pid>/stat of %j', (name) => {
  expect(parseProcess(Buffer.from(`15151 (${name}) S ${STAT_TAIL}\n`))).toEqual({
    pid: 15_151,
    startTimeTicks: 133_050,
    parentPid: 15_145,
    sessionId: 3_862,
    isZombie: false,
    threads: 3,
    ownTicks: 46,
    endedChildrenTicks: 11,
    rssPages: 390,
  });
});

test('a process whose first thread has ended is no zombie while others go on', () => {
  expect(parseProcess(Buffer.from(`1 (x) Z ${STAT_TAIL}`))?.isZombie).toBe(false);
  expect(parseProcess(Buffer.from(`1 (x) Z ${STAT_TAIL.replace(' 20 0 3 ', ' 20 0 1 ')}`))?.isZombie).toBe(true);
});

test('/proc/<pid>/io', () => {
  const text =
    'rchar: 6976\nwchar: 1\nsyscr: 10\nsyscw: 0\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n';
  expect(parseIo(Buffer.from(text))).toEqual({ readBytes: 4096, writtenBytes: 8192 });
  expect(parseIo(Buffer.alloc(0))).toBeUndefined();
});

test('/proc/self/auxv', () => {
  const words = new BigUint64Array([33n, 140_502_006_063_104n, 6n, 16_384n, 0n, 0n]);
  expect(parsePageSize(Buffer.from(words.buffer))).toBe(16_384);
  expect(parsePageSize(Buffer.alloc(7))).toBeUndefined();
});

test('no parser throws, whatever the text', () => {
  const parsers = [
    parseCpuTimes,
    parseMemory,
    parseLoad,
    parsePressure,
    parseDisks,
    parseNics,
    parseMounts,
    parseUptime,
    (text: string) => parseProcess(Buffer.from(text)),
    (text: string) => parseIo(Buffer.from(text)),
  ];
  const word = fc.constantFrom(
    'cpu',
    'cpu0',
    '1',
    ' ',
    '\n',
    ':',
    ')',
    '(',
    '/dev/a',
    'some avg10=',
    '-',
    'MemTotal:',
    'eth0:',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(fc.constantFrom(...parsers), text, (parse, input) => {
      expect(() => parse(input)).not.toThrow();
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n', 'Debian GNU/Linux 12'],
  ['NAME=Fedora\nVERSION_ID=43\n', 'Fedora 43'],
  ["ID=arch\nNAME='Arch Linux'\n", 'Arch Linux'],
  ['', ''],
])('os-release %j', (text, name) => {
  expect(parseOsRelease(text)).toBe(name);
});
