"""Things are counted in the singular and the plural."""

import pytest

from dropship_pipeline.counting import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12_345, "12,345 rows")])
def test_one_thing_is_told_in_the_singular(number: int, said: str) -> None:
    assert counted(number, "row") == said


def test_a_verb_goes_with_what_it_is_said_of() -> None:
    assert [counted(n, "entry is", "entries are") for n in (1, 2)] == ["1 entry is", "2 entries are"]
