import { createAccount, createOperator, createUser, encodeUser, fromPublic } from '@nats-io/jwt';
import { describe, expect, test } from 'vitest';
import { claimsIn, keyPairFrom, signerFrom, verifierFrom } from './nkey.ts';

describe.each([
  ['user', createUser],
  ['account', createAccount],
  ['operator', createOperator],
])('the key of a %s', (_kind, create) => {
  const pair = create();
  const signer = signerFrom(new TextDecoder().decode(pair.getSeed()));
  const bytes = Buffer.from('what is said');

  test('has the public key that NATS gives it', () => {
    expect(signer.publicKey).toBe(pair.getPublicKey());
  });

  test('signs what NATS verifies, and the other way round', () => {
    expect(fromPublic(pair.getPublicKey()).verify(bytes, Buffer.from(signer.sign(bytes), 'base64url'))).toBe(true);
    const verifier = verifierFrom(pair.getPublicKey());
    expect(verifier.verifies(bytes, Buffer.from(pair.sign(bytes)).toString('base64url'))).toBe(true);
    expect(verifier.verifies(Buffer.from('something else'), signer.sign(bytes))).toBe(false);
  });
});

test('a pair of keys is the one that NATS has of this seed', () => {
  const theirs = createAccount();
  const ours = keyPairFrom(new TextDecoder().decode(theirs.getSeed()));
  const bytes = Buffer.from('what is said');
  expect(ours.getPublicKey()).toBe(theirs.getPublicKey());
  expect(ours.getPrivateKey()).toEqual(theirs.getPrivateKey());
  expect(ours.getSeed()).toEqual(theirs.getSeed());
  expect(ours.sign(bytes)).toEqual(theirs.sign(bytes));
  expect(ours.verify(bytes, theirs.sign(bytes))).toBe(true);
});

test('claims are read as NATS signs them, and only as they were signed', async () => {
  const account = createAccount();
  const jwt = await encodeUser('ada', createUser(), account, { pub: { allow: ['a'] } });
  expect(claimsIn(jwt)).toMatchObject({ iss: account.getPublicKey(), name: 'ada', nats: { pub: { allow: ['a'] } } });
  const [header, body = '', signature] = jwt.split('.');
  const forged = Buffer.from(body, 'base64url').toString().replace('ada', 'eve');
  expect(() => claimsIn(`${header}.${Buffer.from(forged).toString('base64url')}.${signature}`)).toThrow('has signed');
  expect(() => claimsIn('no JWT')).toThrow('JSON');
});

test('a seed with a wrong letter is none', () => {
  const seed = new TextDecoder().decode(createUser().getSeed());
  const wrong = seed[10] === 'A' ? 'B' : 'A';
  expect(() => signerFrom(seed.slice(0, 10) + wrong + seed.slice(11))).toThrow(/checksum|seed/);
});
