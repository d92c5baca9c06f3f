"""The sensor that tells people what needs them: on a real instance in Postgres, with a real server that plays Slack."""

import time
from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pytest
import sqlalchemy
from alert_bell import Bell, flaky, lines, ringing, two_steps
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster_runs import installed, run_job
from dagster_shared.error import SerializableErrorInfo
from deployment import Deployment
from slack_webhook import SECRET_PATH, free_port, slack
from sqlalchemy import text

from dropship_pipeline.orchestration import alerts, event_pages
from dropship_pipeline.orchestration.alerts import alert_sensor

Deploy = Callable[..., Deployment]

CROSS_BORDER = "/eco/buyer/crossborder/product/check"


def test_a_failed_run_is_told_once_with_where_and_over_when_it_went_well(quiet: Deploy) -> None:
    with ringing(quiet, variables={"DROPSHIP_UI_URL": "https://dagster.example"}) as (bell, server):
        run = bell.fail()
        assert bell.tick() == "Told of 1 in one message"
        # the first line of the error: what comes after it may be data
        address = f"https://dagster.example/runs/{run.run_id}"
        assert server.texts == [
            f"dropship_pipeline: 1 new\n• New: Run of flaky failed at sometimes: ValueError: it broke → {address}"
        ]
        assert bell.tick() == "Nothing new to tell; 1 known problem lasts"
        bell.fail(well="yes")
        bell.tick()
        assert lines(server) == ["• Over after 1 minute: Run of flaky failed at sometimes"]
        assert (bell.kinds(), len(server.texts)) == ([], 2)


def test_a_failure_in_our_own_words_is_told_in_them(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, server):
        bell.fail(two_steps)
        bell.tick()
        assert "Run of two_steps failed at sometimes_later: The shelf is empty. Fill it. →" in lines(server)[0]


def test_all_of_two_hundred_failed_runs_are_seen_at_once_and_told_in_one_message(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, server):
        for day in range(200):
            tags = {"dagster/partition": f"day-{day:03}", "dagster/max_retries": "0"}
            run = bell.instance.create_run_for_job(flaky, tags=tags)
            bell.instance.report_run_failed(run, "Its process is gone")
        began = time.perf_counter()
        assert bell.tick() == "Told of 200 in one message"
        assert time.perf_counter() - began < 10
        assert len(bell.kinds()) == 200
        [message] = server.texts
        assert message.startswith(
            "dropship_pipeline: 200 new\n• New: Run of flaky for day-000 failed: Its process is gone →"
        )
        assert "failed runs): http://127.0.0.1:3000/runs" in message
        assert len(message) < 4000


def test_a_page_that_is_full_is_gone_on_with_at_the_next_tick(quiet: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_pages, "PAGE", 3)
    with ringing(quiet) as (bell, _):
        for day in range(7):
            bell.fail(**{"dagster/partition": f"day-{day}"})
        known = []
        for _ in range(3):
            bell.tick()
            known.append(len(bell.kinds()))
            bell.later(minutes=1)
        assert known == [3, 6, 7]


def test_a_tick_that_has_no_time_left_reads_on_at_the_next_one(quiet: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    with ringing(quiet) as (bell, server):
        bell.fail()
        with monkeypatch.context() as hurried:
            hurried.setattr(alerts, "_BUDGET", -1.0)
            for _ in range(3):
                bell.tick()
                bell.later(minutes=1)
        assert server.texts == []
        bell.tick()
        assert len(server.texts) == 1


def test_a_feed_that_breaks_is_one_line_and_over_when_it_is_read_again(deploy: Deploy) -> None:
    with ringing(deploy, products=40, drift=0) as (bell, server):
        merchant = bell.merchant
        merchant.sandbox.control("faults", {"fault": f"refuse:code=300000:path={CROSS_BORDER}"})
        run_job(bell.instance, feeds=("local_mx", "cross_border"))
        bell.tick()
        # the check says it; the run failed for nothing else
        [line] = lines(server)
        assert line.startswith(
            "• New: Check sweeps_complete of catalog/feed_products fails for local_mx to cross_border"
        )
        assert "Feed cross_border could not be completed" in line
        assert line.endswith("/assets/catalog/feed_products?view=checks&amp;checkDetail=sweeps_complete")

        merchant.sandbox.control("faults", method="DELETE")
        run_job(bell.instance, feeds="local_mx")
        assert bell.tick() == "Nothing new to tell; 1 known problem lasts"  # that feed was never broken
        run_job(bell.instance, feeds=("us_standard", "cross_border"))
        bell.tick()
        assert len(lines(server)) == 1
        assert lines(server)[0].startswith("• Over after 1 minute: Check sweeps_complete of catalog/feed_products")


def test_a_held_feed_is_one_line_that_says_how_to_let_it_through(deploy: Deploy) -> None:
    with ringing(deploy, products=40, drift=0) as (bell, server):
        run_job(bell.instance, feeds="cross_border")
        bell.merchant.sandbox.control("faults", {"fault": f"empty_listing:path={CROSS_BORDER}"})
        run_job(bell.instance, feeds="cross_border")
        bell.tick()
        [line] = lines(server)
        assert line.startswith("• New: Feed cross_border is held: ")
        assert "dropship sync --feed cross_border --let-through" in line
        assert bell.kinds() == ["held:cross_border"]

        bell.later(days=1)
        bell.tick()
        assert lines(server)[0].startswith("• Still, for 1 day: Feed cross_border is held: ")
        run_job(bell.instance, feeds="cross_border", options={"let_through": True})
        bell.tick()
        assert lines(server) == ["• Over after 1 day: Feed cross_border is held"]


def test_an_account_to_authorise_again_is_told_by_its_name_here(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, server), bell.merchant.database.begin() as connection:
        connection.execute(
            text("""INSERT INTO ops.accounts (account, alibaba_user_id, state, reason, updated_at)
                    VALUES ('shop', '200042362', 'reauthorise', 'The refresh token has ended', now())""")
        )
        connection.commit()
        bell.tick()
        told = "The refresh token has ended. Log in: dropship auth login --account shop."
        assert lines(server) == [f"• New: Account shop has to be authorised again: {told}"]
        assert "200042362" not in server.texts[0]


def test_what_a_person_canceled_and_what_only_warns_is_no_alert(quiet: Deploy) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("only_warns", asset="thing")])
    def thing() -> dg.MaterializeResult:
        warning = dg.AssetCheckResult(
            passed=False, check_name="only_warns", severity=dg.AssetCheckSeverity.WARN, description="hm"
        )
        return dg.MaterializeResult(check_results=[warning])

    with ringing(quiet) as (bell, server):
        run = bell.instance.create_run_for_job(flaky)
        bell.instance.report_run_canceled(run)
        dg.materialize([thing], instance=bell.instance)
        assert bell.tick() == "Nothing new to tell; 0 known problems last"
        assert server.requests == 0


def test_a_blocking_check_is_told_and_the_run_that_it_stops_is_not(quiet: Deploy) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("whole", asset="broken", blocking=True)])
    def broken() -> dg.MaterializeResult:
        failed = dg.AssetCheckResult(passed=False, check_name="whole", description="3 rows lack a key. Sync again.")
        return dg.MaterializeResult(check_results=[failed])

    with ringing(quiet) as (bell, server):
        assert not dg.materialize([broken], instance=bell.instance, raise_on_error=False).success
        bell.tick()
        assert [line.partition(" →")[0] for line in lines(server)] == [
            "• New: Check whole of broken fails: 3 rows lack a key. Sync again."
        ]


def test_a_crash_that_dagster_repeats_by_itself_waits_for_how_that_ends(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, server):
        run = bell.instance.create_run_for_job(flaky)
        bell.instance.report_run_failed(run, "The worker crashed")
        bell.tick()
        assert server.texts == []
        bell.later(minutes=16)
        bell.tick()
        assert "The worker crashed" in server.texts[0]


def test_what_slack_does_not_take_is_kept_and_told_when_it_does(
    quiet: Deploy, capfd: pytest.CaptureFixture[str]
) -> None:
    with ringing(quiet) as (bell, server):
        server.status = 500
        bell.fail()
        said = bell.tick()
        assert "1 alert could not be posted to DROPSHIP_ALERT_URL: it answers with status 500." in said
        bell.tick()
        assert server.requests == 1  # not again at once
        for server.status in (404, 429, 503):
            bell.later(minutes=5)
            bell.tick()
        assert server.requests == 4
        server.status = 200
        bell.later(hours=1)
        bell.tick()
        assert (len(server.texts), len(lines(server))) == (1, 1)
        bell.later(hours=1)
        bell.tick()
        assert server.requests == 5
    log = capfd.readouterr().err
    assert log.count("Run of flaky failed at sometimes") == 1  # the log has it from the first
    assert log.count("could not be posted") == 4


def test_a_webhook_that_is_down_or_slow_loses_nothing(quiet: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    merchant = quiet(variables={"DROPSHIP_ALERT_URL": f"http://127.0.0.1:{port}{SECRET_PATH}"})
    with installed(merchant) as instance:
        bell = Bell(merchant, instance)
        bell.fail()
        assert "it cannot be reached: Connection refused" in bell.tick()
        monkeypatch.setattr("dropship_pipeline.sync.alerts.messages._ANSWER", 0.2)
        with slack(port) as server:
            server.pause = 0.6
            bell.fail(two_steps)
            assert "2 alerts could not be posted to DROPSHIP_ALERT_URL: it did not answer within" in bell.tick()
            server.pause = 0
            bell.later(hours=1)
            bell.tick()
            assert server.texts[-1].startswith("dropship_pipeline: 2 new")


def test_a_crash_between_posting_and_writing_it_down_repeats_the_message_and_loses_none(
    quiet: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with ringing(quiet) as (bell, server):
        bell.fail()
        for crashed in ("post", "delivered"):  # before it is posted, and after
            with monkeypatch.context() as crashing:
                crashing.setattr(alerts, crashed, crash)
                with pytest.raises(KeyboardInterrupt):
                    bell.tick()
            assert bell.cursor is None
        bell.tick()
        assert len(server.texts) == 2
        assert server.texts[0] == server.texts[1]
        assert bell.merchant.value("SELECT count FROM ops.alerts") == 1
        bell.tick()
        assert len(server.texts) == 2


def test_without_a_cursor_that_can_be_read_the_last_day_is_read_again_and_nothing_told_twice(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, server):
        old = bell.fail(**{"dagster/partition": "old"})
        with bell.merchant.database.begin() as connection:
            connection.execute(
                text("UPDATE dagster.event_logs SET timestamp = timestamp - interval '25 hours' WHERE run_id = :run"),
                {"run": old.run_id},
            )
        bell.fail()
        bell.fail(well="yes")
        bell.fail()
        bell.tick()
        assert bell.kinds() == ["run:flaky:sometimes:"]
        for cursor in (None, "", "12", "[]", "{}", "\0", '{"after": "x"}', bell.cursor.replace("[", "[null,")):
            bell.cursor = cursor
            assert bell.tick() == "Nothing new to tell; 1 known problem lasts"
        assert len(server.texts) == 1
        assert bell.merchant.value("SELECT count FROM ops.alerts") == 2


def test_the_cursor_survives_a_restart(quiet: Deploy) -> None:
    with slack() as server:
        merchant = quiet(variables={"DROPSHIP_ALERT_URL": server.url})
        with installed(merchant) as instance:
            first = Bell(merchant, instance)
            first.fail()
            first.tick()
            first.later(minutes=1)
            first.tick()
        with installed(merchant) as instance:
            second = Bell(merchant, instance, first.cursor)
            second.tick()
            second.fail(two_steps)
            second.tick()
    assert [message.count("•") for message in server.texts] == [1, 1]


def test_an_event_that_appears_behind_a_later_one_is_not_missed(quiet: Deploy) -> None:
    """Dagster numbers an event before it commits it: two processes may be seen the other way round."""
    with ringing(quiet) as (bell, server):
        with bell.merchant.database.begin() as connection:
            reserved = connection.execute(text("SELECT nextval('dagster.event_logs_id_seq')")).scalar_one()
        bell.fail()
        bell.tick()
        late = bell.fail(two_steps)
        with bell.merchant.database.begin() as connection:
            connection.execute(
                text("UPDATE dagster.event_logs SET id = :id WHERE run_id = :run AND dagster_event_type = :type"),
                {"id": reserved, "run": late.run_id, "type": "PIPELINE_FAILURE"},
            )
        bell.tick()
        assert ["Run of two_steps" in message for message in server.texts] == [False, True]


def test_a_log_that_was_emptied_is_read_from_its_new_beginning(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, server):
        for _ in range(2):
            bell.fail()
            bell.tick()
            bell.later(minutes=1)
        with bell.merchant.database.begin() as connection:
            connection.execute(text("TRUNCATE dagster.event_logs RESTART IDENTITY CASCADE"))
        bell.tick()
        bell.fail(two_steps)
        bell.tick()
        assert "Run of two_steps" in server.texts[-1]


def test_when_nothing_happened_a_tick_asks_the_event_log_one_thing(quiet: Deploy) -> None:
    with ringing(quiet) as (bell, _):
        bell.fail()
        for _ in range(3):
            bell.tick()
            bell.later(minutes=1)
        bell.tick()  # looks at the ticks of schedules and sensors, as every five minutes
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(" ".join(statement.split()))

        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
        try:
            began = time.perf_counter()
            bell.tick()
            took = time.perf_counter() - began
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
        of_dagster = [statement for statement in asked if "event_logs" in statement or "runs" in statement]
        assert of_dagster == ["SELECT max(event_logs.id) AS max_1 FROM event_logs"]
        assert not [statement for statement in asked if statement.startswith(("INSERT", "UPDATE"))]
        assert took < 1


def tick_of(bell: Bell, status: TickStatus, state: InstigatorState) -> None:
    error = SerializableErrorInfo(
        "dagster._core.errors.SensorExecutionError: Error occurred",
        [],
        "SensorExecutionError",
        SerializableErrorInfo("dropship_pipeline.problem.Problem: The shelf is empty. Fill it.\n", [], "Problem"),
    )
    bell.instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=state.instigator_name,
            instigator_type=InstigatorType.SENSOR,
            status=status,
            timestamp=time.time(),
            error=error if status is TickStatus.FAILURE else None,
            selector_id=state.selector_id,
        )
    )


def test_a_sensor_that_keeps_failing_is_told_until_it_works_or_is_stopped(quiet: Deploy) -> None:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("dropship_pipeline"), "__repository__")
    origin = RemoteInstigatorOrigin(repository, "inbox")
    data = SensorInstigatorData()
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
    with ringing(quiet) as (bell, server):
        bell.instance.add_instigator_state(state)
        tick_of(bell, TickStatus.FAILURE, state)
        bell.tick()
        assert server.texts == []  # a code server that is being restarted fails a tick or two
        bell.later(minutes=11)
        tick_of(bell, TickStatus.FAILURE, state)
        tick_of(bell, TickStatus.STARTED, state)
        bell.tick()
        assert lines(server) == [
            "• New: The sensor inbox fails: Problem: The shelf is empty. Fill it. → http://127.0.0.1:3000/automation"
        ]
        bell.later(minutes=6)
        tick_of(bell, TickStatus.SKIPPED, state)
        bell.tick()
        assert lines(server)[0].startswith("• Over after")

        tick_of(bell, TickStatus.FAILURE, state)
        bell.later(minutes=6)
        bell.tick()
        assert bell.kinds() == ["tick:inbox"]
        bell.instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
        bell.later(minutes=6)
        bell.tick()
        assert bell.kinds() == []


def test_only_one_process_at_a_time_looks_for_alerts(quiet: Deploy) -> None:
    from dropship_pipeline.problem import Problem
    from dropship_pipeline.storage.server.locks import hold

    with ringing(quiet) as (bell, server):
        bell.fail()
        with hold(bell.merchant.database, "alerts", timedelta(seconds=1), Problem("held")):
            assert "Another process looks for alerts" in bell.tick()
        assert server.texts == []
        bell.tick()
        assert len(server.texts) == 1


def test_without_an_address_the_log_says_it_and_nothing_is_posted(
    quiet: Deploy, capfd: pytest.CaptureFixture[str]
) -> None:
    merchant = quiet()
    with installed(merchant) as instance:
        bell = Bell(merchant, instance)
        bell.fail()
        assert bell.tick() == "Told of 1 in one message"
        bell.tick()
    assert capfd.readouterr().err.count("• New: Run of flaky failed at sometimes") == 1


def test_the_address_is_nowhere_to_be_seen(quiet: Deploy, capfd: pytest.CaptureFixture[str]) -> None:
    with ringing(quiet) as (bell, server):
        told = bell.fail(two_steps)
        said = bell.tick()
        server.status = 500
        bell.fail()
        said += bell.tick()
        assert told.run_id in server.texts[0]
        shown = f"{said} {bell.cursor} {bell.merchant.rows('SELECT * FROM ops.alerts')} {bell.merchant.settings}"
    captured = capfd.readouterr()
    assert SECRET_PATH not in shown + captured.out + captured.err


def test_the_sensor_is_on_from_the_start_unless_the_settings_say_otherwise(quiet: Deploy) -> None:
    for told, status in (("true", dg.DefaultSensorStatus.RUNNING), ("false", dg.DefaultSensorStatus.STOPPED)):
        assert alert_sensor(quiet({"DROPSHIP_SCHEDULES": told}).settings).default_status is status
