"""Answers a question from what search-discovery-api finds: `GET /api/answer?q=what+is+an+alert`.

It cannot work without that service, whose address is SEARCH_URL.
"""

import json
import os
from urllib.parse import quote
from urllib.request import urlopen

from fastapi import HTTPException

from service import create_app, serve

SEARCH_URL = os.environ.get("SEARCH_URL", "http://127.0.0.1:8000")
SEARCH_TIMEOUT_S = 2

app = create_app("rag-api", "1.0.0")


@app.get("/api/answer")
def answer(q: str = "") -> dict:
    try:
        with urlopen(f"{SEARCH_URL}/api/search?q={quote(q)}", timeout=SEARCH_TIMEOUT_S) as response:
            sources = json.load(response)["results"][:2]
    except OSError as error:
        raise HTTPException(502, f"cannot search at {SEARCH_URL}: {error}") from error
    text = ". ".join(source["text"] for source in sources) or "Nothing is known about that"
    return {"question": q, "answer": text, "sources": [source["id"] for source in sources]}


if __name__ == "__main__":
    serve(app, default_port=8001)
