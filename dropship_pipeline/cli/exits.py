"""How a command ends: what all of them agree on. The contract is 0 done, 1 something failed, 2 usage."""

import click


def debugging() -> bool:
    """Whether the person asked to see where errors come from: `dropship --debug COMMAND`."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("debug"))
