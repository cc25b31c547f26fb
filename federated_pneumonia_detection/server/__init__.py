"""The server: one process that follows journals, answers HTTP and WebSocket, and starts training as processes.

`create_app` makes the FastAPI application, `serve` runs it on loopback until it is told to stop. Torch is never
imported here: a training is a process of its own, supervised by `supervision` through `warden`.
"""

from federated_pneumonia_detection.server.app import create_app
from federated_pneumonia_detection.server.errors import ServerError
from federated_pneumonia_detection.server.serving import running, serve
from federated_pneumonia_detection.server.settings import ServerSettings, default_data_roots

__all__ = ["ServerError", "ServerSettings", "create_app", "default_data_roots", "running", "serve"]
