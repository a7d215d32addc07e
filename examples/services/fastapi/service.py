"""What the three example services share: `/api/health`, and a way to run them as plain programs."""

import os
import time

import uvicorn
from fastapi import FastAPI


def create_app(name: str, version: str) -> FastAPI:
    """An application that already answers `/api/health`."""
    app = FastAPI(title=name, version=version)
    started_at_s = time.monotonic()

    @app.get("/api/health")
    def health() -> dict:
        return {
            "status": "healthy",
            "service": name,
            "version": version,
            "uptimeSeconds": time.monotonic() - started_at_s,
        }

    return app


def serve(app: FastAPI, default_port: int) -> None:
    """Serves until SIGTERM on HOST (default 127.0.0.1) and PORT."""
    host = os.environ.get("HOST", "127.0.0.1")
    uvicorn.run(app, host=host, port=int(os.environ.get("PORT", default_port)))
