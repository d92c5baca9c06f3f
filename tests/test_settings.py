"""Settings: read from where they should be and from nowhere else, named when they are wrong, told in the README."""

import re
from pathlib import Path

import pytest

from dropship_pipeline.settings import (
    ALIBABA_SANDBOX_URL,
    PRODUCTION_URL,
    VARIABLES,
    Settings,
    SettingsProblem,
    load_settings,
    unknown_variables,
)

APP = {"ALIBABA_APP_KEY": "12345678", "ALIBABA_APP_SECRET": "helloworld"}
README = Path(__file__).parents[1] / "README.md"
_ROW = re.compile(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \| ([^|]+) \|", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: empty, and nothing set."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_with_nothing_set_the_simulated_alibaba_and_the_embedded_postgres_are_used(folder: Path) -> None:
    settings = load_settings()
    assert not settings.has_credentials
    assert settings.database_url is None
    assert settings.absolute_home == folder / ".dropship"
    assert settings.lake_url == str(folder / ".dropship" / "lake")
    assert settings.base_url == PRODUCTION_URL


def test_the_env_file_is_read_and_the_environment_goes_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text(
        "# mine\nexport ALIBABA_APP_KEY=from-the-file\nALIBABA_APP_SECRET='with a # in it'\nDROPSHIP_RAW_DAYS=3\n\n"
    )
    monkeypatch.setenv("DROPSHIP_RAW_DAYS", "5")
    settings = load_settings()
    assert settings.alibaba_app_key == "from-the-file"
    assert settings.alibaba_app_secret is not None
    assert settings.alibaba_app_secret.get_secret_value() == "with a # in it"
    assert settings.raw_days == 5


def test_an_empty_variable_puts_the_env_file_out_of_force(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("ALIBABA_APP_KEY=key\nALIBABA_APP_SECRET=secret\nALIBABA_CALLS_PER_SECOND=\n")
    assert load_settings().has_credentials
    monkeypatch.setenv("ALIBABA_APP_KEY", "")
    monkeypatch.setenv("ALIBABA_APP_SECRET", " ")
    assert not load_settings().has_credentials
    assert load_settings().alibaba_calls_per_second == 50.0


def test_settings_that_are_given_come_from_nowhere_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("DROPSHIP_RAW_DAYS=3\n")
    monkeypatch.setenv("DROPSHIP_DESTINATIONS", "MX")
    monkeypatch.setenv("ALIBABA_APP_KEY", "of the environment")
    for settings in (load_settings({"DROPSHIP_HOME": "/x"}), Settings.model_validate({"DROPSHIP_HOME": "/x"})):
        assert settings.raw_days == 30
        assert settings.destinations == "US"
        assert not settings.has_credentials
        assert settings.home == Path("/x")


def test_blanks_around_a_value_do_not_count() -> None:
    settings = load_settings({"ALIBABA_APP_KEY": " 12345678\n", "ALIBABA_APP_SECRET": "helloworld "})
    assert settings.alibaba_app_key == "12345678"
    assert settings.alibaba_app_secret is not None
    assert settings.alibaba_app_secret.get_secret_value() == "helloworld"


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, PRODUCTION_URL),
        ({"ALIBABA_USE_SANDBOX": "true"}, ALIBABA_SANDBOX_URL),
        ({"ALIBABA_USE_SANDBOX": "0"}, PRODUCTION_URL),
        ({"ALIBABA_USE_SANDBOX": "yes", "ALIBABA_BASE_URL": "http://127.0.0.1:1/rest/"}, "http://127.0.0.1:1/rest"),
    ],
)
def test_which_host_is_asked(variables: dict[str, str], address: str) -> None:
    assert load_settings(APP | variables).base_url == address


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ALIBABA_USE_SANDBOX": "perhaps"}, ["ALIBABA_USE_SANDBOX"]),
        ({"ALIBABA_DIALECT": "klingon"}, ["ALIBABA_DIALECT", "guide", "live", "auto"]),
        ({"ALIBABA_CALLS_PER_SECOND": "-1"}, ["ALIBABA_CALLS_PER_SECOND"]),
        ({"ALIBABA_CALLS_PER_SECOND": "inf"}, ["ALIBABA_CALLS_PER_SECOND"]),
        ({"ALIBABA_CONCURRENCY": "0"}, ["ALIBABA_CONCURRENCY"]),
        ({"ALIBABA_BATCH_SIZE": "0"}, ["ALIBABA_BATCH_SIZE", "greater than or equal to 1"]),
        ({"ALIBABA_BATCH_SIZE": "51"}, ["ALIBABA_BATCH_SIZE", "less than or equal to 50"]),
        ({"ALIBABA_BATCH_SIZE": "many"}, ["ALIBABA_BATCH_SIZE"]),
        ({"DROPSHIP_EXECUTOR": "threads"}, ["DROPSHIP_EXECUTOR", "multiprocess"]),
        ({"DROPSHIP_RAW_DAYS": "0", "DROPSHIP_SNAPSHOTS_KEPT": "x"}, ["DROPSHIP_RAW_DAYS", "DROPSHIP_SNAPSHOTS_KEPT"]),
        ({"ALIBABA_APP_KEY": "1"}, ["ALIBABA_APP_SECRET"]),
        ({"ALIBABA_APP_SECRET": "1"}, ["ALIBABA_APP_KEY"]),
    ],
)
def test_every_value_that_cannot_be_used_is_named(variables: dict[str, str], named: list[str]) -> None:
    with pytest.raises(SettingsProblem) as caught:
        load_settings(variables)
    for name in named:
        assert name in str(caught.value)


def test_the_value_that_cannot_be_used_is_not_repeated_for_it_may_be_a_secret() -> None:
    with pytest.raises(SettingsProblem) as caught:
        load_settings({"ALIBABA_CONCURRENCY": "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156f"})
    assert "50000601c30" not in str(caught.value)


def test_no_secret_is_in_what_settings_look_like() -> None:
    secrets = {
        "ALIBABA_APP_SECRET": "secret-1",
        "ALIBABA_ACCESS_TOKEN": "secret-2",
        "ALIBABA_REFRESH_TOKEN": "secret-3",
        "DROPSHIP_DATABASE_URL": "postgresql://me:secret-4@host/db",
        "DROPSHIP_SECRET_KEY": "secret-5-long-enough",
    }
    settings = load_settings({"ALIBABA_APP_KEY": "1", **secrets})
    for shown in (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()):
        assert "secret-" not in shown


@pytest.mark.parametrize(
    "line",
    ["ALIBABA_APP_SECRET helloworld", "=helloworld", "ALIBABA_APP_SECRET='helloworld", "- helloworld", "helloworld"],
)
def test_a_bad_line_of_the_env_file_is_named_by_its_number_and_not_repeated(folder: Path, line: str) -> None:
    (folder / ".env").write_text(f"DROPSHIP_HOME=here\n\n{line}\n")
    with pytest.raises(SettingsProblem) as caught:
        load_settings()
    assert "Line 3" in str(caught.value)
    assert str(folder / ".env") in str(caught.value)
    assert "helloworld" not in str(caught.value)


def test_an_env_file_that_is_no_text_or_no_file_is_named(folder: Path) -> None:
    (folder / ".env").write_bytes(b"ALIBABA_APP_KEY=\xff\xfe\n")
    with pytest.raises(SettingsProblem, match=re.escape(str(folder / ".env"))):
        load_settings()
    (folder / ".env").unlink()
    (folder / ".env").mkdir()
    with pytest.raises(SettingsProblem, match="directory"):
        load_settings()


def test_slips_of_the_pen_are_found_with_what_was_meant() -> None:
    told = {
        **APP,
        "ALIBABA_APPKEY": "1",
        "DROPSHIP_DATABASE": "x",
        "ALIBABA_MOON": "full",
        "DROPSHIP_HOMES": "",
        "PATH": "/",
    }
    assert unknown_variables(told) == {
        "ALIBABA_APPKEY": "ALIBABA_APP_KEY",
        "DROPSHIP_DATABASE": "DROPSHIP_DATABASE_URL",
        "ALIBABA_MOON": None,
    }


def test_the_readme_tells_every_variable_with_its_default() -> None:
    rows = {tuple(re.findall(r"`([A-Z_]+)`", names)): default for names, default in _ROW.findall(README.read_text())}
    told = [name for names in rows for name in names]
    assert sorted(told) == sorted(VARIABLES)
    defaults = {str(field.alias): field.default for field in Settings.model_fields.values()}
    for names, said in rows.items():
        literal = re.fullmatch(r"`([^`$]+)`", said.strip())
        for name in names:
            if literal and name != "DROPSHIP_LAKE_URL":
                assert _as_told(defaults[name]) == literal[1], name
            else:
                assert defaults[name] is None, name


def _as_told(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_nothing_else_in_the_package_reads_the_environment() -> None:
    package = Path(__file__).parents[1] / "dropship_pipeline"
    reads = re.compile(r"os\.(getenv|environ)(?!\.update)")
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if reads.search(path.read_text()) and path.name != "settings.py"
    }
    # the first sets what Arrow reads, unless somebody has; two hand the whole of it on to a child; the last asks what
    # every program asks of its terminal
    assert found == {"garbage.py", "cli/psql.py", "cli/server.py", "services/output.py"}
