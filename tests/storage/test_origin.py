"""A database holds one catalogue: the simulated one or a real one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.origin import MixedOrigins, claim_origin
from dropship_pipeline.storage.server.database import Database


def test_a_database_keeps_the_origin_that_claimed_it_first(database: Database) -> None:
    claim_origin(database, "simulated")
    claim_origin(database, "simulated")
    with pytest.raises(MixedOrigins, match=r"holds the simulated catalogue.*DROPSHIP_HOME or DROPSHIP_DATABASE_URL"):
        claim_origin(database, "alibaba")
    with database.begin() as connection:
        assert connection.exec_driver_sql("SELECT origin FROM ops.origin").scalars().all() == ["simulated"]


def test_of_two_origins_at_once_one_gets_the_database(database: Database) -> None:
    def claim(origin: str) -> str:
        try:
            claim_origin(Database(database.libpq_url), origin)
        except Problem:
            return "refused"
        return origin

    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(claim, ["simulated", "alibaba"] * 8))
    with database.begin() as connection:
        (held,) = connection.exec_driver_sql("SELECT origin FROM ops.origin").scalars()
    assert claims.count(held) == 8
    assert claims.count("refused") == 8
