"""Prints Muster's alerts as they come. Run it in the clone:

    python3 examples/alert-subscribers/subscriber.py

It speaks NATS itself, so it needs only python3-cryptography (Debian's package) to sign in, and the credentials of an
observer, who may listen to alerts and do nothing else. What fired while it was away comes first.
"""

import base64
import json
import os
import re
import socket
import sys
import time
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

URL = os.environ.get("MUSTER_BUS_URL") or "nats://127.0.0.1:4222"
CREDENTIALS = os.environ.get("MUSTER_BUS_CREDENTIALS") or ".muster/keys/observer-alerts.creds"
ENVIRONMENT = os.environ.get("MUSTER_ENVIRONMENT") or "development"
OBSERVER = os.path.basename(CREDENTIALS).removeprefix("observer-").removesuffix(".creds")


def log_in(info: dict) -> bytes:
    """The CONNECT line: the JWT of the credentials file, and the server's nonce signed with its seed."""
    with open(CREDENTIALS, encoding="ascii") as file:
        jwt, seed, *_ = re.findall(r"-----BEGIN [^-]+-----\s+(\S+)\s+-+END", file.read())
    # A seed is base32: two bytes of prefix, the 32 bytes of the key, a checksum.
    key = Ed25519PrivateKey.from_private_bytes(base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34])
    signature = base64.urlsafe_b64encode(key.sign(info["nonce"].encode())).rstrip(b"=").decode()
    return b"CONNECT " + json.dumps({"jwt": jwt, "sig": signature, "verbose": False, "lang": "python"}).encode() + b"\r\n"


def alerts():
    """Yields each alert, a CloudEvents 1.0 document, until the connection ends."""
    address = urlsplit(URL)
    with socket.create_connection((address.hostname, address.port or 4222)) as connection:
        lines = connection.makefile("rb")
        connection.sendall(log_in(json.loads(lines.readline()[len("INFO ") :])))
        # What the bus keeps for this observer, <id> in observer-<id>.creds. Who needs no more than what comes from now on
        # listens to `alert.>` instead, or to `alert.critical.*.*.*`: alert.<severity>.<host>.<service>.<rule>.
        connection.sendall(f"SUB muster.v1.{ENVIRONMENT}.deliver.observer.{OBSERVER} 1\r\nPING\r\n".encode())
        for line in lines:
            if line.startswith(b"MSG "):
                size = int(line.split()[-1])
                yield json.loads(lines.read(size + 2))
            elif line.startswith(b"PING"):
                connection.sendall(b"PONG\r\n")
            elif line.startswith(b"PONG"):
                print(f"listening on {URL}", file=sys.stderr, flush=True)
            elif line.startswith(b"-ERR"):
                raise ConnectionError(line.decode().strip())


while True:
    try:
        for alert in alerts():
            data = alert["data"]  # data["fingerprint"] is the same through all states of one alert
            place = data["host"] if data["service"] == "_" else f"{data['host']}/{data['service']}"
            sentence = f"{data['state']} {data['severity']} {place} {data['rule']}: {data['summary']}"
            # Whoever may send alerts should not be able to move your cursor with one.
            print("".join(char if char.isprintable() else "\ufffd" for char in sentence), flush=True)
    except ConnectionError as error:
        print(f"not connected to {URL}: {error}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        sys.exit()
    time.sleep(1)
