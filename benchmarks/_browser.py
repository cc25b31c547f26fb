"""A real page for benchmarks: Chromium on a run of `fpd serve`."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, sync_playwright

__all__ = ["browser_page", "get_json", "wait_for_run"]

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def browser_page(*, width: int = 1440, height: int = 900) -> Iterator[Page]:
    """A page of Chromium, until the end of the block."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def get_json(url: str) -> Any:
    """What a server answers."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait_for_run(url: str, within_s: float) -> None:
    """Return when the server knows the run at `url`."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            get_json(url)
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"no such run within {within_s:.0f} s: {url}")
