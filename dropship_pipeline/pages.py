"""Pages of the documentation that are made from code: written, or checked for being stale. Not what is on them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def keep_page(page: Path, fresh: str, module: str, arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; `--page` names another file. The exit status: 1 is stale."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=f"Write {page.name} from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is stale")
    parser.add_argument("--page", type=Path, default=page, help=f"the page (default: docs/{page.name})")
    options = parser.parse_args(arguments)
    if options.check:
        return check_page(options.page, fresh, "make docs")
    options.page.write_text(fresh, encoding="utf-8")
    return 0


def check_page(page: Path, fresh: str, command: str) -> int:
    """Compare the page with what it should be. The exit status: 1 is stale, which names the command that writes it."""
    if page.is_file() and page.read_text(encoding="utf-8") == fresh:
        return 0
    sys.stderr.write(f"{page} is stale. Write it again with `{command}`.\n")
    return 1
