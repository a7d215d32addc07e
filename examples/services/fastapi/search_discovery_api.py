"""Finds documents by words: `GET /api/search?q=restart+service`."""

import re

from service import create_app, serve

DOCUMENTS = {
    "restart-policy": "A service that exits is started again, with a growing pause between tries",
    "health-checks": "A health check asks a service over HTTP whether it can do its work",
    "dependencies": "A service waits until the services it depends on are ready",
    "alerts": "An alert tells people about a service that needs them",
    "metrics": "Metrics show what a host and its services use over time",
}

app = create_app("search-discovery-api", "1.0.0")


@app.get("/api/search")
def search(q: str = "") -> dict:
    """The documents that contain at least one word of the query, best first."""
    words = re.findall(r"\w+", q.lower())
    scored = [
        {"id": id, "text": text, "score": sum(word in text.lower() for word in words)} for id, text in DOCUMENTS.items()
    ]
    results = [document for document in scored if document["score"] > 0]
    return {"query": q, "results": sorted(results, key=lambda document: -document["score"])}


if __name__ == "__main__":
    serve(app, default_port=8000)
