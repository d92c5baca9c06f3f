"""Whose catalogue a database holds: the simulated one and a real one are never mixed (ADR 0002). One row, one check."""

from sqlalchemy import text

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database

_WORDS = {"simulated": "the simulated catalogue", "alibaba": "a catalogue of Alibaba.com"}

_CLAIM = text("""
    INSERT INTO ops.origin (the_one, origin, since) VALUES (true, :origin, clock_timestamp())
    ON CONFLICT (the_one) DO NOTHING
""")
_HELD = text("SELECT origin FROM ops.origin")


class MixedOrigins(Problem):
    """The database holds a catalogue of another origin."""


def claim_origin(database: Database, origin: str) -> None:
    """Note that the database holds the catalogue of `origin`, `simulated` or `alibaba`. Raises `MixedOrigins`.

    Of two that claim an empty database at once, one gets it: the other waits for the first one's commit, and reads it.
    """
    with database.begin() as connection:
        held = connection.execute(_HELD).scalar_one_or_none()
        if held is None:
            connection.execute(_CLAIM, {"origin": origin})
            held = connection.execute(_HELD).scalar_one()
    if held != origin:
        raise MixedOrigins(
            f"The database {database.address} holds {_WORDS.get(held, held)}, and this would mix "
            f"{_WORDS.get(origin, origin)} into it",
            "Set DROPSHIP_HOME or DROPSHIP_DATABASE_URL to another place for it",
        )
