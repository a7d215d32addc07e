"""The least that an agent must do, as agent.mjs: it speaks for the host in its credentials, has one service, and obeys nothing.

    npx muster bus keys --add agent-web9
    MUSTER_BUS_CREDENTIALS=.muster/keys/agent-web9.creds python3 examples/foreign-clients/agent.py
"""

import hashlib
import json
import os
import random
import sys
import time
import uuid

from muster import Bus, Refused

bus = Bus()
host, service, environment = bus.own["id"], "clock", bus.own["environment"]
keys = [f"{host}.{service}._", f"{host}.{service}.0"]
# One per start, and higher than the last one's; seq counts what this run says.
epoch, seq, started = int(time.time()), 0, time.monotonic()
claimant = {"claimant": str(uuid.uuid4()), "agentId": str(uuid.uuid4()), "bootId": "none", "epoch": epoch}


def ordered() -> dict:
    global seq
    seq += 1
    return {**bus.envelope(), "epoch": epoch, "seq": seq}


def position() -> dict:
    return {name: value for name, value in ordered().items() if name in ("epoch", "seq")}


def refusal(code: str, reason: str) -> dict:
    return {"accepted": False, "code": code, "reason": reason}


# Whoever else speaks for this host answers this question; then we must not.
try:
    rival = bus.ask(host, "claim", {**claimant, "isHolder": False}, 2)
    sys.exit(f"another agent ({rival['agentId']}) speaks for {host}")
except (TimeoutError, Refused):
    pass

change = {"host": host, "service": service, "instance": 0, "generation": 1, "ready": "yes", "desired": "up"}
change |= {"reason": "started", "causes": []}
event = {**ordered(), **change, "from": "starting", "to": "running"}
status = {**ordered(), **change, "state": "running", "changedAt": event["time"], "startedAt": event["time"]}
status |= {"pid": os.getpid(), "restarts": 0, "restartBudget": 0, "restartWindowMs": 0, "system": False}
spec = {**ordered(), "host": host, "service": service, "type": "process", "command": "agent.py", "specHash": "none"}
spec |= {"environmentNames": [], "dependencies": [], "labels": {}, "autoRestart": False, "maxRestarts": 0}
spec |= {"restartDelayMs": 0, "job": False, "system": False, "instances": 1}
# First into the stream, then into the bucket.
bus.store(f"{bus.root}.service.{host}.{service}.0.event", event)
bus.store(f"$KV.muster_{environment}_specs.{keys[0]}", spec, ordered=False)
bus.store(f"$KV.muster_{environment}_status.{keys[1]}", status, ordered=False)

PEOPLE = ["dashboard", "operator", "admin"]


def answer(verb: str, request: dict) -> dict:
    if verb == "claim":
        return {**refusal("wrong-state", "another agent speaks for this host"), **claimant}
    if verb == "status":
        return {**position(), "instances": [status]}
    if verb == "why" and request["service"] == service:
        return {**position(), "status": status, "events": [event]}
    if verb == "why":
        return {**position(), "events": [], **refusal("unknown-service", f"no service '{request['service']}' here")}
    if verb == "outcome":
        return {"outcome": "unknown", "reason": "nothing was ever done here"}
    if verb == "revocations":
        return {"version": bus.verifier.revocations(request["list"])["version"]}
    return refusal("unsupported", f"this agent cannot '{verb}'")


def handle(subject: str, reply: str, headers: dict, body: bytes) -> None:
    if not subject.startswith(f"{bus.root}.command.{host}."):
        return
    verb = subject.split(".")[-1]
    readers = [*PEOPLE, "prober"] if verb in ("status", "why", "outcome", "revocations") else PEOPLE
    roles, people = (["agent"], None) if verb == "claim" else (readers, "operator")
    try:
        asker = bus.verifier.question(subject, reply, headers, body, roles, people)
    except Refused as refused:
        print(f"not answered: {subject}: {refused}", file=sys.stderr, flush=True)
        return
    request = json.loads(body)
    if request.get("claimant") == claimant["claimant"]:
        return
    try:
        # A person may be held to services with certain labels: ours has none.
        is_limited = asker.get("person", {}).get("labels")
        told = refusal("forbidden", "it has none of your labels") if is_limited else answer(verb, request)
    except Refused as refused:
        told = refusal("forbidden", str(refused))
    common = {"commandId": request["id"], "accepted": True, "code": "ok", "reason": ""}
    data = json.dumps({**bus.envelope(), **common, **told}).encode()
    bus.publish(reply, data, bus.signed("reply", headers["Muster-Signature"], data))


bus.subscribe(f"{bus.root}.command.{host}.>")
digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:16]
print(f"speaking for {host}", file=sys.stderr, flush=True)
while True:
    heartbeat = {**ordered(), "host": host, "version": "example", "uptimeSeconds": time.monotonic() - started}
    heartbeat |= {"eventLoopLagMs": 0, "agentId": claimant["agentId"], "bootId": "none", "networkNamespace": "none"}
    heartbeat |= {"monotonicMs": time.monotonic() * 1000, "keysDigest": digest, "services": 1, "backlog": 0}
    bus.publish(f"{bus.root}.host.{host}.presence", json.dumps(heartbeat).encode(), {})
    due = time.monotonic() + random.uniform(1.5, 2.5)
    while (left := due - time.monotonic()) > 0:
        message = bus.receive(left)
        if message is not None:
            handle(*message)
