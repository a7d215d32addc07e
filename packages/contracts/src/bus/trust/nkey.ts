/*
 * NATS keys (nkeys) as keys of node:crypto, which signs and verifies some hundred times as fast as the JavaScript that
 * comes with the NATS client.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { fromPublic, fromSeed, type KeyPair } from '@nats-io/jwt';

/** ASN.1 of an ed25519 key, up to its 32 bytes. */
const PUBLIC_DER = Buffer.from('302a300506032b6570032100', 'hex');
const PRIVATE_DER = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** In the first byte of a private key: `P`. */
const PRIVATE_KIND = 15 << 3;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export interface Signer {
  readonly publicKey: string;
  /** In base64url. */
  sign(bytes: Uint8Array): string;
}

export interface Verifier {
  readonly publicKey: string;
  /** Never throws, whatever stands for the signature. */
  verifies(bytes: Uint8Array, signature: string): boolean;
}

/** @throws when the seed is not one */
export function signerFrom(seed: string): Signer {
  // Checks the kind and the checksum.
  fromSeed(new TextEncoder().encode(seed));
  const decoded = base32Decode(seed);
  const der = Buffer.concat([PRIVATE_DER, decoded.subarray(2, 2 + KEY_BYTES)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  // A seed has its kind in two bytes, behind five bits that say that it is a seed; a public key in one.
  const kind = (decoded.readUInt16BE() >> 3) & 0xff;
  return { publicKey: publicKeyOf(key, kind), sign: (bytes) => sign(null, bytes, key).toString('base64url') };
}

/** A key pair as the JWT library takes it. It is asked for its public key again and again. @throws when the seed is not one */
export function keyPairFrom(seed: string): KeyPair {
  const pair = fromSeed(new TextEncoder().encode(seed));
  const signer = signerFrom(seed);
  const { publicKey } = signer;
  // Bytes of a private key are those of the seed and those of the public key.
  const secret = Buffer.concat([
    base32Decode(seed).subarray(2, 2 + KEY_BYTES),
    base32Decode(publicKey).subarray(1, 1 + KEY_BYTES),
  ]);
  return Object.assign(pair, {
    getPublicKey: () => publicKey,
    getPrivateKey: () => new TextEncoder().encode(keyText(PRIVATE_KIND, secret)),
    sign: (bytes: Uint8Array) => new Uint8Array(Buffer.from(signer.sign(bytes), 'base64url')),
  });
}

/** Of what a JWT of NATS claims. */
export interface Claims {
  readonly iss: string;
  /** Whose claims they are. */
  readonly sub: string;
  readonly name: string;
  /** `issuer_account`: for whom a signing key has signed. */
  readonly nats: { readonly issuer_account?: string };
}

/** What a JWT of NATS claims. @throws when it is none, or is not what its issuer has signed */
export function claimsIn(jwt: string): Claims {
  const [header = '', body = '', signature = ''] = jwt.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
  if (verifierFrom(claims.iss).verifies(Buffer.from(`${header}.${body}`), signature)) return claims;
  throw new Error(`a JWT is not what ${claims.iss} has signed`);
}

/** @throws when the key is not one */
export function verifierFrom(publicKey: string): Verifier {
  // Checks the kind and the checksum.
  fromPublic(publicKey);
  const der = Buffer.concat([PUBLIC_DER, base32Decode(publicKey).subarray(1, 1 + KEY_BYTES)]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return { publicKey, verifies: (bytes, signature) => isSignedBy(key, bytes, signature) };
}

function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: string): boolean {
  const decoded = Buffer.from(signature, 'base64url');
  // One text per signature: else a copy that was written otherwise would pass for a new one.
  if (decoded.length !== SIGNATURE_BYTES || decoded.toString('base64url') !== signature) return false;
  return verify(null, bytes, key, decoded);
}

function publicKeyOf(privateKey: KeyObject, kind: number): string {
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return keyText(kind, der.subarray(-KEY_BYTES));
}

/** A key as NATS writes it: its kind, its bytes and their checksum (CRC-16/XMODEM, low byte first). */
function keyText(kind: number, key: Uint8Array): string {
  const bytes = Buffer.concat([Buffer.from([kind]), key]);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc16(bytes));
  return base32Encode(Buffer.concat([bytes, checksum]));
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x1021)) & 0xffff;
  }
  return crc;
}

function base32Encode(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits
    .padEnd(Math.ceil(bits.length / 5) * 5, '0')
    .replaceAll(/.{5}/g, (five) => BASE32.charAt(Number.parseInt(five, 2)));
}

function base32Decode(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of text) {
    value = ((value << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}
