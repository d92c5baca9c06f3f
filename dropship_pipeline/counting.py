"""Counts of things in words: one way to say `1 product` and `2,000 products`. Not numbers in tables."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """`number` of something, thousands set apart. `one`: what one of it is called; `many`: others, if not with an s.

    Both may go on with what depends on them: `counted(n, "row is", "rows are")`.
    """
    return f"1 {one}" if number == 1 else f"{number:,} {many or f'{one}s'}"
