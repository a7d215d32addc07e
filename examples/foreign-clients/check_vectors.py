"""Checks every test vector, the refused ones included:  python3 examples/foreign-clients/check_vectors.py"""

import base64
import json
import os

from muster import Refused, Verifier, bytes_to_sign, milliseconds, read_credentials, sign

FILE = os.path.join(os.path.dirname(__file__), "../../docs/schemas/signature-vectors.json")
with open(FILE, encoding="utf8") as file:
    vectors = json.load(file)
seeds = {key["name"]: key["seed"] for key in vectors["keys"]}
root = next(key["publicKey"] for key in vectors["keys"] if key["name"] == "root")
question, person = vectors["question"], vectors["personsQuestion"]
asked = question["headers"]["Muster-Signature"]
PEOPLE = ["dashboard", "operator", "admin"]


def check(what: str, is_right: bool) -> None:
    if not is_right:
        raise SystemExit(f"vector '{what}' is not as it must be")
    print(f"ok  {what}")


def check_signed(what: str, by: str, data: bytes, signed_bytes: str, signature: str) -> None:
    check(f"{what}: bytes", base64.b64encode(data).decode() == signed_bytes)
    check(f"{what}: signature", sign(seeds[by], data) == signature)


for name, purpose, head in [
    ("question", "request", question["subject"]),
    ("answer", "reply", asked),
    ("verdict", "message", vectors["verdict"]["subject"]),
    ("personsQuestion", "request", f"{person['subject']} {person['headers']['Muster-Person']}"),
]:
    one = vectors[name]
    data = bytes_to_sign(purpose, head, one["body"].encode())
    check_signed(name, one["by"], data, one["signedBytes"], one["headers"]["Muster-Signature"])
for what, one, purpose, by in [
    *((f"grant of {grant['name']}", grant, "grant", "root") for grant in vectors["grants"]),
    ("grant of a person", person["person"], "person", "dashboard/d1"),
    ("revocations", vectors["revocations"], "revocations", "root"),
]:
    payload, signature = one["text"].split(".")
    check_signed(what, by, bytes_to_sign(purpose, payload), one["signedBytes"], signature)
credentials = read_credentials(vectors["credentialsFile"])
check("credentials", credentials["seed"] == seeds["operator/ada"] and credentials["roots"] == [root])


def take(of: str, verifier: Verifier, one: dict) -> None:
    if of in ("question", "personsQuestion"):
        now_ms = milliseconds(one.get("at", "2026-03-01T12:00:00Z"))
        body = one["body"].encode()
        verifier.question(one["subject"], one["reply"], one["headers"], body, PEOPLE, "operator", now_ms)
    elif of == "answer":
        verifier.answer(one["headers"], one["body"].encode(), asked, "agent", "web1")
    elif of == "verdict":
        verifier.verdict(one["subject"], one["headers"], one["body"].encode())
    else:
        verifier.revocations(one["text"])


for name in ["question", "personsQuestion", "answer", "verdict", "revocations"]:
    take(name, Verifier(vectors["environment"], [root]), vectors[name])
    check(f"{name} is taken", True)
for one in vectors["refused"]:
    verifier = Verifier(vectors["environment"], [root])
    for given in one.get("given", []):
        if isinstance(given, str):
            take(given, verifier, vectors[given])
        else:
            take(one["of"], verifier, {"subject": one["subject"], **given})
    try:
        take(one["of"], verifier, one)
        reason = None
    except Refused as refused:
        reason = str(refused)
    check(f"{one['of']} is refused: {one['why']} ({reason})", reason is not None)
