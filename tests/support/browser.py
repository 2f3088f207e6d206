"""A headless Chromium: the system's, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.conftest import missing


def chromium() -> Iterator[Browser]:
    """Start it, for a fixture; it ends with that."""
    path = shutil.which("chromium")
    if path is None:
        missing("no Chromium: Debian's chromium")
    # its sandbox is not for root
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=options)
        yield launched
        launched.close()
