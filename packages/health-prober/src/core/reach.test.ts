import { describe, expect, test } from 'vitest';
import { parseNetwork } from './address.ts';
import { type Place, reachOf, type TargetRules, whyNotAddress } from './reach.ts';

const own: Place = { agentId: 'agent-1', bootId: 'boot-1', networkNamespace: '4026531840' };
const here: Place = { ...own };
const elsewhere: Place = { ...own, agentId: 'agent-2' };

const rules = (allow: string[] = [], deny: string[] = []): TargetRules => ({
  allow: allow.flatMap((text) => parseNetwork(text) ?? []),
  deny: deny.flatMap((text) => parseNetwork(text) ?? []),
});

test.each([
  ['http://localhost:8001/api/health', here, true],
  ['http://127.0.0.1:8001/', here, true],
  ['http://user:secret@[::1]:8001/', here, true],
  ['http://localhost:8001/', elsewhere, false],
  ['http://localhost:8001/', { ...here, networkNamespace: '4026532000' }, false],
  ['http://web7:8001/', undefined, true],
  ['http://localhost.example.com/', undefined, true],
  ['http://10.0.0.7/?next=http://localhost/', undefined, true],
  ['http://127.0.0.1@10.0.0.7/', undefined, true],
])('%s with a host at %o is reached: %s', (url, host, canReach) => {
  expect(reachOf(url, host, own, rules()).canReach).toBe(canReach);
});

describe('every spelling of loopback', () => {
  const spellings = [
    '127.0.0.1 127.8.8.8 127.1 2130706433 0x7f.1 0x7F000001 0177.0.0.1 127.0.0.1. [::1]',
    '[0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [64:ff9b::7f00:1] 0.0.0.0 0',
    '[::] localhost localhost. LOCALHOST foo.localhost foo.localhost. １２７.０.０.１ 127。0。0。1',
    '%31%32%37.0.0.1 ⓛocalhost user:pw@127.1 127.0.0.1\\@10.0.0.7',
  ].flatMap((line) => line.split(' '));

  test.each(spellings)('http://%s/ is closed to another host, and open to the own one', (host) => {
    const url = `http://${host}:8001/`.replace('\\@10.0.0.7:8001', ':8001\\@10.0.0.7');
    for (const place of [elsewhere, undefined]) {
      expect(reachOf(url, place, own, rules())).toMatchObject({
        canReach: false,
        reason: expect.stringContaining('no vantage reaches it: a loopback address'),
      });
    }
    expect(reachOf(url, here, own, rules())).toEqual({ canReach: true });
    // No rule makes one machine out of two.
    expect(reachOf(url, elsewhere, own, rules(['127.0.0.0/8', '0.0.0.0/0', '::/0'])).canReach).toBe(false);
  });
});

describe('what stands next to the prober', () => {
  test.each([
    ['169.254.169.254', 'a link-local address'],
    ['2852039166', 'a link-local address'],
    ['[fe80::1]', 'a link-local address'],
    ['[::ffff:169.254.169.254]', 'a link-local address'],
    ['[64:ff9b::a9fe:a9fe]', 'a link-local address'],
    ['[2002:a9fe:a9fe::]', 'a link-local address'],
    ['[fd00:ec2::254]', 'an address of cloud metadata'],
    ['100.100.100.200', 'an address of cloud metadata'],
    ['224.0.0.1', 'a multicast address'],
    ['[ff02::1]', 'a multicast address'],
    ['255.255.255.255', 'the broadcast address'],
  ])('%s is closed to every host, its own too: %s', (host, what) => {
    for (const place of [here, elsewhere, undefined]) {
      const reason = `no vantage reaches it: ${what}, which 'targets.allow' does not open`;
      expect(reachOf(`http://${host}/latest/`, place, own, rules())).toEqual({ canReach: false, reason });
    }
  });
});

describe('the narrowest rule decides', () => {
  test.each([
    ['169.254.7.7', ['169.254.7.0/24'], [], true],
    ['169.254.8.7', ['169.254.7.0/24'], [], false],
    ['169.254.8.7', ['169.254.0.0/16'], [], true],
    ['169.254.8.7', ['0.0.0.0/0'], [], false],
    ['10.1.2.3', [], ['10.0.0.0/8'], false],
    ['10.1.2.3', ['10.1.0.0/16'], ['10.0.0.0/8'], true],
    ['10.1.2.3', ['10.0.0.0/8'], ['10.1.0.0/16'], false],
    ['10.1.2.3', ['10.0.0.0/8'], ['10.0.0.0/8'], false],
    ['10.1.2.3', ['10.0.0.0/8'], ['0.0.0.0/0', '::/0'], true],
    ['11.1.2.3', ['10.0.0.0/8'], ['0.0.0.0/0', '::/0'], false],
    ['::ffff:10.1.2.3', [], ['10.0.0.0/8'], false],
    ['64:ff9b::10.1.2.3', [], ['10.0.0.0/8'], false],
    ['fd00::1', ['fd00::/16'], ['0.0.0.0/0', '::/0'], true],
    ['fe80::1%eth0', ['fe80::/10'], [], true],
  ])('%s with allow %j and deny %j is open: %s', (address, allow, deny, isOpen) => {
    expect(whyNotAddress(address, elsewhere, own, rules(allow, deny)) === undefined).toBe(isOpen);
  });

  test('a denied one is named', () => {
    const { reason } = { reason: '', ...reachOf('http://10.1.2.3/', here, own, rules([], ['10.0.0.0/8'])) };
    expect(reason).toBe("no vantage reaches it: in 10.0.0.0/8, which 'targets.deny' closes");
  });

  test('the own loopback is nobody else’s business', () => {
    expect(whyNotAddress('127.0.0.1', here, own, rules([], ['0.0.0.0/0', '::/0']))).toBeUndefined();
  });
});

test('what is no address is closed', () => {
  expect(whyNotAddress('web1', here, own, rules())).toBe('no address');
});

test.each([
  [{ agentId: 'agent-9', bootId: 'boot-1', networkNamespace: '4026531840' }, true],
  [{ agentId: 'agent-9', bootId: 'boot-2', networkNamespace: '4026531840' }, false],
  [{ agentId: 'agent-9', bootId: 'boot-1', networkNamespace: '4026532000' }, false],
])('a prober that no agent started compares boot and namespace: %o is reached: %s', (host, canReach) => {
  expect(reachOf('http://localhost/', host, { ...own, agentId: undefined }, rules()).canReach).toBe(canReach);
});
