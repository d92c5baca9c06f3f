"""`python -m dropship_pipeline.sandbox`: the same as `dropship sandbox`."""

from dropship_pipeline.sandbox.command import sandbox_command

if __name__ == "__main__":
    sandbox_command()
