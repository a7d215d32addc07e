import { createAccount, createOperator, createUser, fromPublic } from '@nats-io/jwt';
import { describe, expect, test } from 'vitest';
import { signerFrom, verifierFrom } from './nkey.ts';

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

test('a seed with a wrong letter is none', () => {
  const seed = new TextDecoder().decode(createUser().getSeed());
  const last = seed.endsWith('A') ? 'B' : 'A';
  expect(() => signerFrom(seed.slice(0, -1) + last)).toThrow();
});
