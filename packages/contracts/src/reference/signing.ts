import { FRESHNESS_MS, GRANT_HEADER, PERSON_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';
import { subjectPattern } from '../subject.ts';

/** How all that is signed is made and checked: a chapter of docs/protocol.md. schemas/signature-vectors.json proves it. */
export const SIGNING = `## Signing

Everything needed to write it in another language; it was, twice, in
[\`examples/foreign-clients\`](../examples/foreign-clients). [\`schemas/signature-vectors.json\`](schemas/signature-vectors.json)
shows each part: with its keys, over its bytes (\`signedBytes\`, in base64), exactly its signatures, for ed25519 knows one only.

**Keys** are nkeys: base32 (RFC 4648, no padding) of a kind, 32 bytes, and a checksum. A public key is 1 byte of kind
(160 makes the first letter \`U\`, a user; 112 makes \`O\`, a root), the 32 bytes of the ed25519 public key, 2 bytes of checksum. A
seed is 2 bytes of kind (first letters \`SU\`, \`SO\`), the 32 bytes of the ed25519 seed, 2 bytes of checksum. The checksum is
CRC-16/XMODEM (polynomial 0x1021, beginning with 0) over all before it, low byte first. Vectors: \`keys\`.

**Base64url** has no padding, and one way to write each signature: 86 letters that, decoded and encoded again, are the same.
Any other is refused, for a copy that is written otherwise would pass for a new message.

**A credentials file** (\`.creds\`) is text with blocks \`-----BEGIN <label>-----\`, one line, \`------END <label>------\`. In this
order: \`NATS USER JWT\` and \`USER NKEY SEED\`, which every NATS client takes; \`MUSTER GRANT\`, once; \`MUSTER ROOT\`, the public key
of a root, mostly once, twice while a root is replaced. Role, id and environment are in the grant. Vector: \`credentialsFile\`.

**The bytes that are signed** are always: the byte 0xff, \`muster-<purpose>-1\`, a line feed, the head, a line feed, the body.
(No text contains 0xff: so nothing signed here can be had from a client by the nonce that it signs to log in.) Head and body are
those that travel: nothing is normalized, parsed or sorted.

| what | purpose | head | body | signed by | vector |
|---|---|---|---|---|---|
| a question | \`request\` | its subject | its bytes | the asker | \`question\` |
| a question for a person | \`request\` | its subject, a space, the header \`${PERSON_HEADER}\` | its bytes | the dashboard | \`personsQuestion\` |
| an answer | \`reply\` | the question's \`${SIGNATURE_HEADER}\` | its bytes | who answers | \`answer\` |
| a message of a signed row (verdicts) | \`message\` | its subject | its bytes | its sender | \`verdict\` |
| a grant | \`grant\` | its payload, in base64url | none | the root | \`grants\` |
| a person's grant | \`person\` | its payload | none | the dashboard | \`personsQuestion.person\` |
| a list of revoked keys | \`revocations\` | its payload | none | the root | \`revocations\` |

The first four carry two headers: \`${SIGNATURE_HEADER}\`, the signature, and \`${GRANT_HEADER}\`, the signer's grant out of its
credentials file. The last three are one line of text, \`<payload>.<signature>\`: the payload is base64url of UTF-8 JSON, and
what is signed is the payload as it stands there. Types: [Grant](#grant), [PersonGrant](#persongrant),
[RevocationList](#revocationlist). A grant or person's grant with another \`version\` than 1 is refused: it may hold a
restriction that a reader of today does not see.

**Who answers a question** checks, in this order:

1. The subject is a question to itself, and the reply subject is
   \`${subjectPattern('answer.<itself>.<role>.<id>.<nonce…>')}\`. Else: no answer at all.
2. Both headers are there; the grant is signed by one of its roots, is of a version it knows, and of its environment; the
   signature is the grant's key's. Else: \`forbidden\`, unsigned, or no answer.
3. This very signature was not heard before (the last 4,096 are remembered). Else: no answer, for a second one could be taken
   for the first.
4. The key is not on the list of revoked keys in force. Else, and from here on: \`forbidden\`, signed, with the reason.
5. With \`${PERSON_HEADER}\`: signed by the key of the grant; of the same environment; the grant says \`delegates\`, and the person's role is
   no higher (viewer, operator, admin); its hosts are among those of the grant.
6. The role of the grant may ask this (the table above), and its \`hosts\` are \`all\` or name this host. A person: hosts too, a role
   that is enough for this question, \`expiresAt\` not past by the clock of who answers; with \`labels\`, only services that bear all of them.
7. Role and id in the reply subject are those of the grant. Else: no answer.
8. The body is not larger than the table says, is of its type (else \`bad-request\`), and its \`source\` is \`<role>/<id>\` of the grant (else \`forbidden\`).
   A host that it names besides (\`host\`, or what stands before the \`/\` of \`fingerprint\` and \`target\`) must be granted as in 6.
9. What acts: the \`id\` was not answered before (else the same answer again, also after a restart), and \`fresh\` quotes an epoch and
   seq that were said within ${FRESHNESS_MS / 1_000} s by its own clock (else \`stale\`). The actor, for the audit, is the person if there is one.

**Who gets an answer** takes only what comes on the very reply subject that it named; headers, grant and signature as above,
over its *own* question's signature; the key is not revoked; the grant is of role \`agent\` and of the id that was asked, or of
role \`prober\` for \`_prober\`; the body's \`source\` is that signer. All else is dropped, and the true answer waited for.

**Who reads a signed row** checks headers, grant and signature as above; the key is not revoked; the role may publish there
(verdicts: prober), the grant's hosts contain that of the subject, the body's \`source\` is \`<role>/<id>\` of the grant; and that
no later epoch and seq was heard of this sender on this subject. The same one again is a duplicate, not an error.

**A list of revoked keys** is taken when a root has signed it, for this environment, and its \`version\` is higher than that
of the one in force, which is kept over restarts. It comes by \`command.<host>.revocations\`; readers of the bucket \`config\` have it
under the key \`revocations\`.

The vectors in \`refused\` are each wrong in one way, told by \`why\`, and must be refused: \`of\` says as what they come, \`given\` what was
taken before (a vector's name, or headers and body on the same subject), \`at\` the time by the verifier's clock.`;
