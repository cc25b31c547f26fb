"""Train chest X-ray pneumonia detectors, centralised or federated, and watch them live.

Research software, not a medical device. What a training process imports is `progress`; the other parts are named in
`docs/architecture.md`.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
