"""Federated training between machines: Flower's SuperLink and SuperNodes, with TLS and registered node keys."""
