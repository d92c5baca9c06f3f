"""`docs/guide-coverage.md` is true and whole: what it names exists, every row has a module and a test, and nothing of
the guide is missing.

What is fixed about the guide is held here as numbers, so that the page is checked without it. Where the guide lies
beside the checkout, the page is held against the guide itself too.
"""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from dropship_pipeline.alibaba.errors import CODES
from dropship_pipeline.alibaba.operations import OPERATIONS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "guide-coverage.md"
GUIDE = ROOT.parent / "shared" / "alibaba-api-guide-v2.md"

ROWS = {  # how many rows a part of the page has: what the guide has there, and `Any other` of the statuses
    "Overview": 11,
    "Common Error Codes": 18,
    "Order Status Codes": 12 + 1,
    "Endpoints beyond the guide (live facts)": 6,
    "Supported Message Types": 3,
    "Onboarding Process": 4,
    "Payload Fields": 7,
    "Best Practices": 4,
    "V1 to V2 Migration": 13,
    "Key Differences": 6,
    "Implementation Checklist": 13,
    "Documentation Gaps": 3 + 3,
    "Known Limitations": 4,
    "Migration Considerations": 4,
}
GUIDE_ENDPOINTS = 17

Link = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
InCode = re.compile(r"`([^`]+)`")
Endpoint = re.compile(r"^Endpoint `(/[^`]+)`")


@dataclass(frozen=True)
class Row:
    """A row of one of the page's tables. `part`: the heading that it stands under."""

    part: str
    item: str
    where: str
    shown_by: str


def rows_of(page: str) -> list[Row]:
    part, rows = "", []
    for line in page.splitlines():
        if line.startswith("#"):
            part = line.lstrip("# ")
        elif line.startswith("| ") and not line.endswith("| Where | Shown by |"):
            item, where, shown_by = (cell.strip() for cell in line.strip("|").split("|"))
            rows.append(Row(part, item, where, shown_by))
    return rows


@cache
def names_in(path: Path) -> frozenset[str]:
    """What a Python file defines: functions, classes, methods, and whatever is assigned to."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    found.update(name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
    return frozenset(found)


@cache
def functions_of_tests_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))


def fault_of_link(label: str, target: str, *, is_test: bool) -> str | None:
    """What is wrong with `[file::name](target)`, if anything."""
    file, _, name = label.partition("::")
    path = (PAGE.parent / target).resolve()
    if not path.is_file():
        return f"there is no {target}"
    if not path.as_posix().endswith(f"/{file}"):
        return f"{label} leads to {target}"
    if is_test:
        return None if name in functions_of_tests_in(path) else f"{target} has no test {name!r}"
    return f"{target} defines no {name}" if name and name not in names_in(path) else None


def faults_of(page: str) -> list[str]:
    """Everything that is wrong with the page by itself."""
    faults = []
    for row in rows_of(page):
        modules, tests = Link.findall(row.where), Link.findall(row.shown_by)
        found = [fault_of_link(*link, is_test=False) for link in modules]
        found += [fault_of_link(*link, is_test=True) for link in tests]
        if not (modules and tests):
            found.append("it has no module, or no test")
        faults += [f"{row.part}, {row.item}: {fault}" for fault in found if fault]
    counted = Counter(row.part for row in rows_of(page))
    faults += [f"{part} has {counted[part]} rows, not {n}" for part, n in ROWS.items() if counted[part] != n]
    return faults + faults_of_endpoints(page) + faults_of_codes(page)


def faults_of_endpoints(page: str) -> list[str]:
    paths = {operation.path for operation in OPERATIONS.values()}
    named = Counter(match[1] for row in rows_of(page) if (match := Endpoint.match(row.item)))
    said = {words for words in InCode.findall(page) if words.startswith("/")}
    faults = [f"{path} has {named[path]} rows" for path in sorted(paths | named.keys()) if named[path] != 1]
    return faults + [f"{path} is no endpoint" for path in sorted(said - paths)]


def faults_of_codes(page: str) -> list[str]:
    codes = Counter(
        InCode.findall(row.item)[0]
        for row in rows_of(page)
        if row.part == "Common Error Codes" or row.part.startswith("Codes ")
        if "`" in row.item
    )
    faults = [f"code {code} is not in alibaba/errors.py" for code in codes if code not in CODES]
    return faults + [f"code {code} has {codes[code]} rows" for code in CODES if codes[code] != 1]


def test_everything_that_the_page_names_exists_and_every_row_has_a_module_and_a_test() -> None:
    assert faults_of(PAGE.read_text(encoding="utf-8")) == []


def test_the_page_has_the_endpoints_of_the_guide_and_those_beyond_it() -> None:
    endpoints = [row for row in rows_of(PAGE.read_text(encoding="utf-8")) if Endpoint.match(row.item)]
    beyond = [row for row in endpoints if row.part.startswith("Endpoints beyond")]
    assert (len(endpoints) - len(beyond), len(beyond)) == (
        GUIDE_ENDPOINTS,
        ROWS["Endpoints beyond the guide (live facts)"],
    )


@pytest.mark.parametrize(
    ("there", "instead", "found"),
    [
        ("::test_the_push_vector_is_reproduced]", "::test_the_push_vector_is_produced]", "has no test"),
        ("::PRODUCTION_URL]", "::PRODUCTION_URI]", "defines no PRODUCTION_URI"),
        ("(../dropship_pipeline/alibaba/signing.py)", "(../dropship_pipeline/alibaba/singing.py)", "there is no"),
        ("(../dropship_pipeline/alibaba/signing.py)", "(../dropship_pipeline/alibaba/values.py)", "leads to"),
        ("| Auth URL | ", "| Auth URL | | nothing |\n| Another | ", "no module, or no test"),
        ("`charge_back`", "`charge_back` | | |\n| `x`", "14 rows"),
        ("`430013` ", "`430014` ", "430014"),
        ("Endpoint `/order/logistics/query`", "Endpoint `/order/logistics/ask`", "/order/logistics/ask"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(there: str, instead: str, found: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert there in page
    assert any(found in fault for fault in faults_of(page.replace(there, instead)))


# The guide itself


LISTS = ("Onboarding Process", "Best Practices", "Implementation Checklist", "Migration Considerations")
NUMBER = re.compile(r"^\d+[a-z]?\. ")
GROUP = re.compile(r"\*\*([^*:]* (?:Object|List|Detail|IDs)):\*\*$")  # a group of request parameters
METHODS = re.compile(r"^\| `(/[^`]+)` \| ([A-Z/]+) \|")


def sections_of(guide: str) -> dict[str, list[str]]:
    """The guide's lines by heading, without what is in code blocks and without the headings' numbers."""
    sections: dict[str, list[str]] = {}
    heading, in_code = "", False
    for line in guide.splitlines():
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and line.startswith("##"):
            heading = NUMBER.sub("", line.lstrip("# "))
            sections[heading] = []
        elif not in_code and heading:
            sections[heading].append(line)
    return sections


def words(text: str) -> set[str]:
    """The telling words of a line, in the singular."""
    return {word.rstrip("s") for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 3}


def missing_in(page: str, guide: str) -> list[str]:
    """What the guide has and the page has not."""
    rows = rows_of(page)
    said = {*InCode.findall(page)}
    titles = "\n".join([line for line in page.splitlines() if line.startswith("#")] + [row.item for row in rows])
    missing = []
    for heading, lines in sections_of(guide).items():
        missing += [f"section {heading}"] * (heading not in titles)
        part = "\n".join(row.item for row in rows if NUMBER.sub("", row.part) == heading)
        for line in lines:
            first = line.strip("|").split("|")[0] if line.startswith("|") and not line.startswith("| `/") else ""
            names = InCode.findall(first)
            missing += [
                f"{heading}: {name}" for name in names if name not in said or (part and f"`{name}`" not in part)
            ]
            group = GROUP.match(line)
            if group and group[1] not in part:
                missing.append(f"{heading}: {group[1]}")
            bold = re.match(r"(?:- |\d\. |\| )\*\*([^*]+)\*\*", line)
            if bold and heading not in LISTS and bold[1].rstrip(":") not in titles:
                missing.append(f"{heading}: {bold[1]}")
            for path in re.findall(r"`(?:GET |GET/POST |POST )?(/[a-z]+/[a-z/]+)`", line):
                missing += [f"{heading}: endpoint {path}"] * (path not in said)
            value = re.match(r"   - `(\d+)` = ", line)
            if value and not any(row.part == heading and f"`{value[1]}`" in row.item for row in rows):
                missing.append(f"{heading}: value {value[1]}")
        if heading in LISTS:
            missing += missing_of_list(heading, lines, [row.item for row in rows if row.part == heading])
        if heading == "Key Differences":
            features = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
            missing += [f"{heading}: {feature}" for feature in features if feature not in titles]
    return missing


def missing_of_list(heading: str, lines: list[str], items: list[str]) -> list[str]:
    """Entries that the page has no row for: row by row in the guide's order, each sharing a telling word."""
    entries = [line for line in lines if re.match(r"(?:- \[ \]|\d\.) ", line)]
    if len(entries) != len(items):
        return [f"{heading} has {len(entries)} entries, the page has {len(items)}"]
    pairs = zip(entries, items, strict=True)
    return [f"{heading}: {entry}" for entry, item in pairs if not words(entry) & words(item)]


def wrong_methods(guide: str) -> list[str]:
    """Endpoints whose HTTP methods are others here than in the guide's summary."""
    known = {operation.path: set(operation.methods) for operation in OPERATIONS.values()}
    told = [match.groups() for line in guide.splitlines() if (match := METHODS.match(line))]
    return [path for path, methods in told if known.get(path) != set(methods.split("/"))]


def test_nothing_of_the_guide_is_missing_where_it_lies_beside_the_checkout() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for guide in (path.read_text(encoding="utf-8") for path in (GUIDE,) if path.is_file()):
        assert missing_in(page, guide) == []
        assert wrong_methods(guide) == []
        endpoints = {path for path, _ in re.findall(METHODS.pattern, guide, re.MULTILINE)}
        assert len(endpoints) == GUIDE_ENDPOINTS, "the guide's summary is not read as it stands"


@pytest.mark.parametrize(
    ("guide", "found"),
    [
        ("## 3d. Product List (Lunar)", "section Product List (Lunar)"),
        ("## Overview\n- **Product Teleportation**: at once", "Overview: Product Teleportation"),
        ("## API Endpoints\n**Endpoint:** `GET/POST /order/lunar/get`", "API Endpoints: endpoint /order/lunar/get"),
        ("## API Endpoints\n| `lunar_phase` | String | Yes | x |", "API Endpoints: lunar_phase"),
        ("### 5. Get Item Inventory\n| `scene_id` | String | Yes | x |", "Get Item Inventory: scene_id"),
        ("### 5. Get Item Inventory\n**Lunar Request Object:**", "Get Item Inventory: Lunar Request Object"),
        ("## Common Error Codes\n| `999999` | - | Lunar | x |", "Common Error Codes: 999999"),
        ("## Order Status Codes\n| `moonstruck` | x |", "Order Status Codes: moonstruck"),
        ("## V1 to V2 Migration\n| `taobao.lunar.get` | x | y |", "V1 to V2 Migration: taobao.lunar.get"),
        ("## Key Differences\n| Feature |\n|---|\n| Lunar Mode | x |", "Key Differences: Lunar Mode"),
        ("## Implementation Checklist\n- [ ] x", "Implementation Checklist has 1 entries, the page has 13"),
        ("## Documentation Gaps\n   - `99` = Lunar event", "Documentation Gaps: value 99"),
    ],
)
def test_what_a_guide_has_and_the_page_has_not_is_found(guide: str, found: str) -> None:
    assert missing_in(PAGE.read_text(encoding="utf-8"), guide) == [found]


def test_a_line_of_a_list_is_found_missing_and_so_is_a_wrong_method() -> None:
    assert missing_of_list("List", ["- [ ] Fly to the moon"], ["1. Request signing"]) == ["List: - [ ] Fly to the moon"]
    assert wrong_methods("| `/order/logistics/query` | GET | x |\n| `/auth/token/create` | GET/POST | x |") == [
        "/order/logistics/query"
    ]
