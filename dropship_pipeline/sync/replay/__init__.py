"""The tables derived again from what was landed, without one call."""
