"""What Muster signs, checked and made with python3-cryptography alone, and NATS over a plain socket: written from
docs/protocol.md (Signing) and docs/schemas/signature-vectors.json. Copy it into your own program.
"""

import base64
import itertools
import json
import os
import re
import socket
import time
import uuid
from datetime import datetime, timezone
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Refused(Exception):
    """It does not count, and why."""


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def decode_nkey(text: str) -> bytes:
    """[kind, 32 bytes of the key], or of a seed [two bytes of kind, 32 bytes]."""
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    if crc16(raw[:-2]) != int.from_bytes(raw[-2:], "little"):
        raise Refused("not an nkey: wrong checksum")
    return raw[:-2]


def public_key(nkey: str, kind: str) -> Ed25519PublicKey:
    """kind: 'U' for a user, 'O' for a root."""
    raw = decode_nkey(nkey)
    if nkey[0] != kind or len(raw) != 33:
        raise Refused(f"not a public key of kind {kind}")
    return Ed25519PublicKey.from_public_bytes(raw[1:])


def encode64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(seed: str, data: bytes) -> str:
    return encode64(Ed25519PrivateKey.from_private_bytes(decode_nkey(seed)[2:]).sign(data))


def verifies(key: Ed25519PublicKey, data: bytes, signature: str) -> bool:
    """One text per signature: base64url without padding, and nothing else."""
    try:
        raw = decode64(signature)
        if len(raw) != 64 or encode64(raw) != signature:
            return False
        key.verify(raw, data)
        return True
    except (InvalidSignature, ValueError):
        return False


def bytes_to_sign(purpose: str, head: str, body: bytes = b"") -> bytes:
    """purpose: request, reply, message, grant, person or revocations."""
    return b"\xff" + f"muster-{purpose}-1\n{head}\n".encode() + body


def read_credentials(text: str) -> dict:
    """The blocks of a .creds file."""
    blocks = re.findall(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s+(\S+)\s+-{3,}END \1-{3,}", text)
    found = {label: value for label, value in reversed(blocks)}
    grant = found["MUSTER GRANT"]
    return {
        "jwt": found["NATS USER JWT"],
        "seed": found["USER NKEY SEED"],
        "grant": grant,
        "roots": [value for label, value in blocks if label == "MUSTER ROOT"],
        "own": json.loads(decode64(grant.split(".")[0])),
    }


def open_text(purpose: str, text: str, keys: list, kind: str) -> dict:
    """A payload that one of these keys has signed: a grant, a person's grant, a list of revoked keys."""
    payload, _, signature = text.partition(".")
    if not any(verifies(public_key(key, kind), bytes_to_sign(purpose, payload), signature) for key in keys):
        raise Refused(f"the {purpose} is not signed by who must")
    return json.loads(decode64(payload))


def refuse_other(body: dict, grant: dict) -> dict:
    """Whoever signs names itself as the sender."""
    if body["source"] != f"{grant['role']}/{grant['id']}":
        raise Refused("it names another sender")
    return body


PEOPLE = ["viewer", "operator", "admin"]


def milliseconds(when: str) -> float:
    return datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp() * 1000


class Verifier:
    """Who is believed here, and what was heard."""

    def __init__(self, environment: str, roots: list):
        self.environment, self.roots = environment, roots
        self.heard, self.revoked, self.list_version, self.newest = {}, set(), 0, {}

    def grant(self, text: str) -> dict:
        grant = open_text("grant", text, self.roots, "O")
        if grant["version"] != 1 or grant["environment"] != self.environment:
            raise Refused("a grant of elsewhere, or of a version that is not known here")
        return grant

    def signed(self, purpose: str, head: str, headers: dict, body: bytes) -> dict:
        signature, text = headers.get("Muster-Signature"), headers.get("Muster-Grant")
        if not signature or not text:
            raise Refused("not signed")
        grant = self.grant(text)
        if not verifies(public_key(grant["key"], "U"), bytes_to_sign(purpose, head, body), signature):
            raise Refused(f"not what {grant['role']}/{grant['id']} has signed")
        return grant

    def refuse_revoked(self, grant: dict) -> None:
        if grant["key"] in self.revoked:
            raise Refused(f"the key of {grant['role']}/{grant['id']} is revoked")

    def question(self, subject, reply, headers, body, roles, people=None, now_ms=None):
        """Who asks. roles: which may ask this; people: the least role of a person for whom a dashboard asks it."""
        root = f"muster.v1.{self.environment}."
        if not subject.startswith(f"{root}command."):
            raise Refused("not a question")
        host = subject.split(".")[4]
        place = (reply or "").split(".")
        if not (reply or "").startswith(f"{root}answer.{host}.") or len(place) < 8:
            raise Refused("the reply subject is not in the space of these answers")
        person = headers.get("Muster-Person")
        grant = self.signed("request", f"{subject} {person}" if person else subject, headers, body)
        signature = headers["Muster-Signature"]
        if signature in self.heard:
            raise Refused("heard before")
        self.heard[signature] = True
        if len(self.heard) > 4096:
            del self.heard[next(iter(self.heard))]
        self.refuse_revoked(grant)
        if grant["role"] not in roles:
            raise Refused(f"{grant['role']}/{grant['id']} may not ask this")
        if grant["hosts"] != "all" and host not in grant["hosts"]:
            raise Refused(f"not granted host {host}")
        if person:
            grant["person"] = self.person(person, grant, host, people, time.time() * 1000 if now_ms is None else now_ms)
        if place[5:7] != [grant["role"], grant["id"]]:
            raise Refused("the answer would go to somebody else")
        refuse_other(json.loads(body), grant)
        return grant

    def person(self, text: str, grant: dict, host: str, least, now_ms: float) -> dict:
        person = open_text("person", text, [grant["key"]], "U")
        role, hosts = person["role"], person["hosts"]
        if person["version"] != 1 or person["environment"] != self.environment:
            raise Refused("a person of elsewhere")
        if "delegates" not in grant or PEOPLE.index(role) > PEOPLE.index(grant["delegates"]):
            raise Refused("more than the dashboard may delegate")
        if grant["hosts"] != "all" and (hosts == "all" or not set(hosts) <= set(grant["hosts"])):
            raise Refused("hosts that the dashboard is not granted")
        if hosts != "all" and host not in hosts:
            raise Refused(f"the person is not granted host {host}")
        if milliseconds(person["expiresAt"]) <= now_ms:
            raise Refused("the person's grant has ended")
        if least is None or PEOPLE.index(role) < PEOPLE.index(least):
            raise Refused("too little a role")
        return person

    def answer(self, headers: dict, body: bytes, to: str, role: str, id=None) -> dict:
        """to: the signature of the question; role and, of an agent, id: who was asked."""
        grant = self.signed("reply", to, headers, body)
        self.refuse_revoked(grant)
        if grant["role"] != role or id not in (None, grant["id"]):
            raise Refused(f"from {grant['role']}/{grant['id']}, who was not asked")
        return refuse_other(json.loads(body), grant)

    def verdict(self, subject: str, headers: dict, body: bytes) -> dict:
        grant = self.signed("message", subject, headers, body)
        self.refuse_revoked(grant)
        verdict, host = json.loads(body), subject.split(".")[4]
        if grant["role"] != "prober":
            raise Refused(f"{grant['role']} publishes no verdicts")
        if grant["hosts"] != "all" and host not in grant["hosts"]:
            raise Refused(f"not granted host {host}")
        refuse_other(verdict, grant)
        place, position = (subject, verdict["source"]), (verdict["epoch"], verdict["seq"])
        if position < self.newest.get(place, (0, 0)):
            raise Refused("older than what was heard")
        self.newest[place] = position
        return verdict

    def revocations(self, text: str) -> dict:
        found = open_text("revocations", text, self.roots, "O")
        if found["environment"] != self.environment:
            raise Refused("a list of elsewhere")
        if found["version"] <= self.list_version:
            raise Refused("no later than the list in force")
        self.list_version, self.revoked = found["version"], {one["key"] for one in found["revoked"]}
        return found


class Bus:
    """One connection of NATS: MUSTER_BUS_URL, as MUSTER_BUS_CREDENTIALS says. Without TLS, for one thread."""

    def __init__(self):
        with open(os.environ["MUSTER_BUS_CREDENTIALS"], encoding="ascii") as file:
            credentials = read_credentials(file.read())
        self.seed, self.grant, self.own = credentials["seed"], credentials["grant"], credentials["own"]
        self.source = f"{self.own['role']}/{self.own['id']}"
        self.root = f"muster.v1.{self.own['environment']}"
        self.verifier = Verifier(self.own["environment"], credentials["roots"])
        address = urlsplit(os.environ.get("MUSTER_BUS_URL") or "nats://127.0.0.1:4222")
        self.socket = socket.create_connection((address.hostname, address.port or 4222))
        self.rest = b""
        self.run, self.numbers = uuid.uuid4().hex, itertools.count(1)
        info = json.loads(self.line()[len("INFO ") :])
        options = {"jwt": credentials["jwt"], "sig": sign(self.seed, info["nonce"].encode())}
        options |= {"verbose": False, "headers": True, "no_responders": True, "lang": "python", "version": "1"}
        self.send(b"CONNECT " + json.dumps(options).encode() + b"\r\n")
        # What the server itself answers comes to this inbox, what others answer to the second place. No other may be heard.
        self.inbox = f"_INBOX.{self.own['role']}.{self.own['id']}.{self.run}"
        self.subscribe(f"{self.inbox}.*")
        self.subscribe(f"{self.root}.answer.*.{self.own['role']}.{self.own['id']}.{self.run}.*")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, size: int) -> bytes:
        while len(self.rest) < size:
            self.more()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def line(self) -> str:
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line.decode()

    def more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.rest += data

    def subscribe(self, subject: str) -> None:
        self.send(f"SUB {subject} {next(self.numbers)}\r\n".encode())

    def publish(self, subject: str, body: bytes, headers: dict, reply: str = "") -> None:
        head = b"NATS/1.0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items()) + b"\r\n"
        self.send(f"HPUB {subject} {reply} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n")

    def receive(self, timeout: float):
        """(subject, reply, headers, body), or None when nothing came in time."""
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                line = self.line()
            except TimeoutError:
                return None
            # The rest of what has begun is on its way.
            self.socket.settimeout(10)
            if line.startswith("PING"):
                self.send(b"PONG\r\n")
            elif line.startswith("-ERR"):
                raise ConnectionError(line)
            elif line.startswith(("MSG ", "HMSG ")):
                kind, subject, _, *more = line.split()
                size = int(more[-1])
                head = int(more[-2]) if kind == "HMSG" else 0
                reply = more[0] if len(more) > (2 if head else 1) else None
                data = self.read(size + 2)[:-2]
                pairs = (one.split(":", 1) for one in data[:head].decode().split("\r\n")[1:] if ":" in one)
                return subject, reply, {name: value.strip() for name, value in pairs}, data[head:]
        return None

    def call(self, subject: str, body: bytes, headers: dict, reply: str, timeout: float, others=lambda message: None):
        """Publishes, and waits for what comes on `reply`; `others` gets what else comes."""
        self.publish(subject, body, headers, reply)
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            message = self.receive(left)
            if message is not None and message[0] == reply:
                return message
            if message is not None:
                others(message)
        raise TimeoutError(f"no answer to {subject}")

    def signed(self, purpose: str, head: str, body: bytes) -> dict:
        return {"Muster-Signature": sign(self.seed, bytes_to_sign(purpose, head, body)), "Muster-Grant": self.grant}

    def envelope(self) -> dict:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {"id": str(uuid.uuid4()), "time": now, "source": self.source}

    def ask(self, host: str, verb: str, fields: dict, timeout: float = 5) -> dict:
        """One question of an agent, signed; its answer, proven."""
        subject = f"{self.root}.command.{host}.{verb}"
        body = json.dumps({**self.envelope(), "actor": self.source, **fields}).encode()
        headers = self.signed("request", subject, body)
        place = f"{self.own['role']}.{self.own['id']}.{self.run}.{next(self.numbers)}"
        _, _, told, answer = self.call(subject, body, headers, f"{self.root}.answer.{host}.{place}", timeout)
        return self.verifier.answer(told, answer, headers["Muster-Signature"], "agent", host)

    def store(self, subject: str, message: dict, last=None, ordered: bool = True) -> None:
        """Behind the last message of its subject; a refusal says which that is, and the same id is not stored twice."""
        conditions = {"Nats-Msg-Id": message["id"], "Nats-Expected-Last-Subject-Sequence": last or 0} if ordered else {}
        reply = f"{self.inbox}.{next(self.numbers)}"
        ack = json.loads(self.call(subject, json.dumps(message).encode(), conditions, reply, 5)[3] or "{}")
        problem = ack.get("error", {}).get("description", "" if "seq" in ack else "nobody stores it")
        actual = re.search(r"wrong last sequence: (\d+)", problem)
        if actual:
            self.store(subject, message, int(actual[1]))
        elif problem:
            raise Refused(problem)
