"""The pictures of README and docs: a real server, real trainings, a real browser (`make pictures`).

Trains on what `FPD_DATA` names, else on whatever `fpd train` finds. Takes some minutes; writes docs/pictures/*.png.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from server_process import ServerProcess  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def start(server: ServerProcess, kind: str, body: dict[str, Any]) -> str:
    """Start a training over HTTP; its run id."""
    answer = httpx.post(f"{server.url}/api/{kind}/train", json=body)
    answer.raise_for_status()
    return str(answer.json()["run_id"])


def wait(server: ServerProcess, run_id: str, key: str, least: int) -> None:
    """Until the run's `key` (`epoch`, `round`) has reached `least`, or it has ended."""
    while True:
        state = httpx.get(f"{server.url}/api/runs/{run_id}").json()
        if (state.get(key) or 0) >= least or state["status"] in ("completed", "failed", "cancelled"):
            return
        time.sleep(0.2)


def take(browser: Browser, url: str, name: str, *, dark: bool = False, phone: bool = False) -> None:
    """One picture."""
    context = browser.new_context(viewport=PHONE if phone else WIDE, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(url)
    page.get_by_text("Live").first.wait_for()
    page.wait_for_timeout(1500)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
    context.close()
    print(f"docs/pictures/{name}.png", flush=True)


def main() -> int:
    """Train, look, and look again."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium here; `python scripts/test_needs.py` gets one where it can")
        return 1
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        with ServerProcess(Path(temporary) / "progress") as server:
            central = start(server, "centralized", {"experiment_name": "recipe-seed-0", "epochs": 12})
            wait(server, central, "epoch", 8)
            take(browser, f"{server.url}/runs/{central}", "run")
            take(browser, f"{server.url}/runs/{central}", "run-dark", dark=True)
            take(browser, f"{server.url}/runs/{central}", "run-phone", phone=True)
            wait(server, central, "epoch", 99)
            take(browser, f"{server.url}/runs/{central}", "run-finished")
            body = {"experiment_name": "three-hospitals", "num_rounds": 6, "local_epochs": 2, "partition": "dirichlet"}
            federated = start(server, "federated", body)
            wait(server, federated, "round", 5)
            take(browser, f"{server.url}/runs/{federated}", "federated")
            take(browser, f"{server.url}/runs/{federated}", "federated-dark", dark=True)
            take(browser, f"{server.url}/runs/{federated}", "federated-phone", phone=True)
            take(browser, f"{server.url}/", "runs")
            wait(server, federated, "round", 99)
        browser.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (httpx.HTTPError, subprocess.SubprocessError) as error:
        sys.exit(f"no pictures: {error}")
