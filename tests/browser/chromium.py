"""Whether this machine has a browser for the tests. What they do with it is in `conftest.py` and `dagster_pages.py`.

Imports nothing but the standard library: every test session asks.
"""

import shutil

MISSING = (
    "No Chromium and chromedriver here: tests/browser is left out (Debian: apt-get install chromium chromium-driver)"
)

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


def is_installed() -> bool:
    """Whether the tests in a browser can run."""
    return BROWSER is not None and DRIVER is not None
