"""Counts named events: `POST /api/events {"name":"signup"}`, then `GET /api/summary`."""

from collections import Counter
from threading import Lock

from fastapi import HTTPException
from pydantic import BaseModel, Field

from service import create_app, serve

MAX_NAMES = 1_000

app = create_app("analytics-api", "1.0.0")
counts: Counter = Counter()
# FastAPI runs plain functions on a pool of threads.
counts_lock = Lock()


class Event(BaseModel):
    name: str = Field(min_length=1)


@app.post("/api/events", status_code=202)
def count_event(event: Event) -> dict:
    with counts_lock:
        if event.name not in counts and len(counts) >= MAX_NAMES:
            raise HTTPException(409, f"no more than {MAX_NAMES} different names are counted")
        counts[event.name] += 1
        return {"name": event.name, "count": counts[event.name]}


@app.get("/api/summary")
def summary() -> dict:
    with counts_lock:
        return {"counts": dict(counts)}


if __name__ == "__main__":
    serve(app, default_port=8002)
