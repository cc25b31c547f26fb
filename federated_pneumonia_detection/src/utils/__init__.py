"""Where the guide's import paths begin; the code lives in the parts named in `docs/architecture.md`."""
