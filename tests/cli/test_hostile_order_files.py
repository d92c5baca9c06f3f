"""Files of orders that are made to cost memory or time: each is refused at once, in one line."""

import time
from pathlib import Path

import pytest

from dropship_pipeline.cli.order_files import read_document
from dropship_pipeline.problem import Problem

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
HOSTILE = {
    "a thousand million values": (LAUGHS, "repeats a part of itself"),
    "a part of itself": ("a: &a\n  b: *a\n", "repeats a part of itself"),
    "deep YAML": ("- " * 20_000 + "x", "nested too deeply"),
    "deep JSON": ("[" * 100_000, "nested too deeply"),
    "long": ("x: " + "y" * 2_000_000, "longer than any order"),
    "an object of Python's": ("!!python/object/apply:os.system ['touch /tmp/dropship-escaped']", ""),
}


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_made_to_do_harm_does_none(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "order.yaml"
    file.write_text(content)
    began = time.monotonic()
    if words:
        with pytest.raises(Problem, match=words):
            read_document(str(file))
    else:
        assert read_document(str(file)) == ["touch /tmp/dropship-escaped"]
    assert time.monotonic() - began < 10
    assert not Path("/tmp/dropship-escaped").exists()
