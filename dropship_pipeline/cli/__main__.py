"""`python -m dropship_pipeline.cli`: the same as `dropship`."""

from dropship_pipeline.cli import main

if __name__ == "__main__":
    main()
