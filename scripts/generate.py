"""Write everything that is generated from the code, or with `--check` fail when something is stale.

Sources of truth: the messages (`progress/messages.py`), the close codes (`server/close_codes.py`), the configuration
(`config/training.py`), the commands and the routes. Each generator is a function that returns the text of one file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import reference

from federated_pneumonia_detection.progress import schema
from federated_pneumonia_detection.server import close_codes

ROOT = Path(__file__).resolve().parent.parent


def generated() -> dict[Path, str]:
    """Every generated file and what it must hold now."""
    return {
        ROOT / "docs/reference/messages.schema.json": schema.json_schema_text(),
        ROOT / "dashboard/src/client/messages.generated.ts": schema.typescript_text(),
        ROOT / "dashboard/src/client/closeCodes.generated.ts": close_codes.typescript(),
        ROOT / "docs/reference/messages.md": reference.messages_page(),
        ROOT / "docs/reference/configuration.md": reference.configuration_page(),
        ROOT / "docs/reference/cli.md": reference.cli_page(),
        ROOT / "docs/reference/http.md": reference.http_page(),
        ROOT / "docs/reference/metrics.md": reference.metrics_page(),
    }


def main() -> int:
    """Write or check; 1 when something was stale under `--check`."""
    stale = [(path, text) for path, text in generated().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make generate`")
        return 1 if stale else 0
    for path, text in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
