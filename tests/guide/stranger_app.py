"""A stranger's FastAPI app: the guide's endpoint word for word, and what the guide leaves to its reader."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn
from fastapi import APIRouter, FastAPI, WebSocket, WebSocketDisconnect
from guide_blocks import block
from pydantic import BaseModel

from federated_pneumonia_detection.training import CentralizedTrainer


class TrainingRequest(BaseModel):
    """What the stranger's front end posts."""

    source_path: str = "phantoms"


here = Path.cwd()
config_path = here / "config.yaml"
config_path.write_text("epochs: 2\nthreads: 1\n")
names = {
    "router": APIRouter(),
    "TrainingRequest": TrainingRequest,
    "CentralizedTrainer": CentralizedTrainer,
    "config_path": str(config_path),
    "checkpoint_dir": str(here / "checkpoints"),
    "logs_dir": str(here / "logs"),
}
printed = block("python", "Step 5").text
assert printed.count("trainer.train(...)") == 1
exec(printed.replace("train(...)", "train(source_path=request.source_path, experiment_name='stranger')"), names)

app = FastAPI()
app.include_router(names["router"])


@app.get("/healthz")
def healthz() -> dict[str, int]:
    """The test waits for this."""
    return {"pid": os.getpid()}


@app.websocket("/ws/training-progress")
async def progress(websocket: WebSocket) -> None:
    """The usual FastAPI WebSocket endpoint around a connection manager."""
    manager = names["websocket_manager"]
    await manager.connect(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        manager.disconnect(websocket)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
