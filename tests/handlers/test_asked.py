"""What was kept before Slack was answered: done once, refused in words, and not done when it is too old."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from handlers import asked, work
from handlers.asked import FORMS, PRESSES, TABLE, Given, Lapsed, Unreadable
from handlers.context import kept
from handlers.context.intents import Hold
from handlers.context.services import Request, Services
from handlers.context.table import Field, Filled
from handlers.errors import MessageGone, Outdated, Overloaded, Refusal, Removed, SlackDown
from handlers.text.buttons import Action, Form
from storage.database import database_time
from storage.intents import Intent, Kind
from storage.schema.account_tables import intents as table
from storage.statuses import Status
from storage.vault import Vault, new_key
from tests.handlers.conftest import ANA, GUS, OPS, URL, Office

Work = Callable[[Services, Request], Awaitable[None]]


def vault(office: Office) -> Vault:
    return Vault([*office.services.policy.sealing_keys])


def keep(office: Office, given: Given, key: str = "k", late: bool = False, **facts: Any) -> Intent | None:
    request = office.request(**facts)
    return office.write(asked.keeping(vault(office), request, given, key, office.clock.now(), lambda: late))


def taken(office: Office, given: Given | None = None, **facts: Any) -> Intent:
    made = keep(office, given or Given("nothing"), **facts)
    assert made is not None
    return made


async def nothing(_services: Services, _request: Request) -> None:
    return None


def raising(error: Exception) -> Work:
    async def work(_services: Services, _request: Request) -> None:
        raise error

    return work


def doing(*then: Exception) -> Work:
    """Does its deed, and then this happens."""

    async def work(services: Services, request: Request) -> None:
        await services.memory.write(kept.is_first, request.kept)
        for error in then:
            raise error

    return work


async def answered(office: Office, intent: Intent, work: Work, **facts: Any) -> None:
    await asked.answer_now(office.services, office.request(**facts), intent, work)


def row(office: Office, number: int = 1) -> Any:
    return office.read(lambda c: c.execute(table.select().where(table.c.id == number)).one())


async def test_the_same_request_is_kept_once_and_what_was_typed_is_sealed(office: Office) -> None:
    filled = Filled("meta", {"name": Field("typed", "chosen", ("a", "b"), ("U1",))})
    made = keep(office, Given(Form.RULES.value, filled=filled))
    assert made is not None
    assert keep(office, Given(Form.RULES.value, filled=filled)) is None
    assert keep(office, Given(Form.RULES.value, filled=filled), key="other") is not None
    stored = row(office)
    assert "typed" not in stored.payload + stored.sealed
    assert "hooks" not in stored.payload
    secrets = Hold(office.services, made).secrets()
    assert (secrets["url"], secrets["metadata"]) == (URL, "meta")
    assert asked._fields(secrets["fields"]) == filled.fields
    again = asked._as_asked(made, office.workspace, secrets)
    assert (again.user, again.channel, again.response_url, again.trigger_id) == (ANA, OPS, URL, "")


async def test_what_holds_no_secret_is_not_sealed(office: Office) -> None:
    made = taken(office, response_url="")
    assert made.sealed == ""


async def test_what_is_kept_too_late_is_not_kept(office: Office) -> None:
    with pytest.raises(Overloaded):
        keep(office, Given("x"), late=True)
    seen = iter([False, True])
    with pytest.raises(Overloaded):
        office.write(
            asked.keeping(vault(office), office.request(), Given("x"), "k", office.clock.now(), lambda: next(seen))
        )
    assert office.read(lambda c: c.execute(table.select()).all()) == []


async def test_a_second_click_means_the_first(office: Office) -> None:
    now = office.clock.now()

    def first(key: str, click: str) -> bool:
        return office.write(asked.is_first, office.request(click=click), key, now)

    assert first("1", "button")
    assert not first("2", "button")
    assert first("3", "another")
    assert first("4", "")
    assert not first("4", "")


async def test_an_answer_ends_what_was_kept(office: Office) -> None:
    await answered(office, taken(office), nothing)
    assert row(office).outcome == "done"
    assert office.slack.said == []


@pytest.mark.parametrize("error", [Refusal("No."), SlackDown("No.")])
async def test_what_cannot_be_done_is_answered_in_words(office: Office, error: Exception) -> None:
    await answered(office, taken(office), raising(error))
    assert (office.slack.last.way, office.slack.last.text) == ("answer", "No.")
    assert row(office).outcome == "done"


async def test_where_the_address_is_gone_the_refusal_comes_directly(office: Office) -> None:
    office.slack.fail("answer", MessageGone())
    await answered(office, taken(office), raising(Refusal("No.")))
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)
    office.slack.fail("answer", MessageGone())
    office.slack.fail("post", MessageGone())
    await answered(office, taken(office, key="2"), raising(Refusal("No.")))
    assert row(office, 2).outcome == "done"


async def test_a_refusal_that_slack_does_not_take_now_is_said_later(office: Office) -> None:
    office.slack.fail("answer", SlackDown())
    await answered(office, taken(office), raising(Refusal("No.")))
    assert row(office).ended_at is None
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))
    await work.resume(office.services, office.workspace.id, 1)
    assert "out of date" in office.slack.last.text
    assert row(office).outcome == "done"


async def test_what_is_done_is_not_refused_and_shown_later_where_only_slack_was_away(office: Office) -> None:
    await answered(office, taken(office), doing(Refusal("No.")))
    assert (office.slack.said, row(office).outcome) == ([], "done")
    await answered(office, taken(office, key="2"), doing(SlackDown()))
    assert (office.slack.said, row(office, 2).ended_at) == ([], None)


async def test_what_was_passed_on_is_told_by_who_works_it_off(office: Office) -> None:
    intent = taken(office)

    def passing(error: Exception) -> Work:
        async def run(services: Services, request: Request) -> None:
            await services.memory.write(kept.pass_on, request.kept)
            raise error

        return run

    await answered(office, intent, passing(SlackDown()))
    assert (office.slack.said, row(office).outcome) == ([], "done")


def old(office: Office, age: timedelta) -> None:
    office.write(lambda c: c.execute(table.update().values(made_at=database_time(c) - age)))


@pytest.mark.parametrize(("spare", "done"), [(timedelta(minutes=1), True), (timedelta(minutes=-1), False)])
async def test_what_waited_for_more_than_an_hour_is_not_done_any_more(
    office: Office, spare: timedelta, done: bool
) -> None:
    intent, ran = taken(office), []

    async def run(_services: Services, request: Request) -> None:
        ran.append(request)

    old(office, asked.TOO_OLD - spare)
    await answered(office, intent, run)
    assert bool(ran) == done
    assert [one.text for one in office.slack.said] == ([] if done else [str(Lapsed())])


async def test_of_a_removed_workspace_nothing_is_done(office: Office) -> None:
    intent = taken(office)
    office.note(removed_at=office.clock.now())
    await answered(office, intent, doing())
    assert office.slack.last.text == str(Removed())


async def test_rights_are_asked_afresh(office: Office) -> None:
    intent, seen = taken(office, user=GUS), []

    async def run(_services: Services, request: Request) -> None:
        seen.append(request)

    await answered(office, intent, run, user=GUS)
    assert seen == []
    assert "guest" in office.slack.last.text


async def resumed(office: Office) -> None:
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))
    await work.resume(office.services, office.workspace.id, 1)


async def test_another_process_answers_what_was_pressed(office: Office) -> None:
    await office.campaign(Status.RECEIVED)
    taken(office, Given(Action.CANCEL_PIECE.value, str(office.piece().id)))
    await resumed(office)
    assert office.mail.cancelled == ["1001"]


async def test_what_no_wing_answers_any_more_or_no_key_opens_is_said(office: Office) -> None:
    for given in (Given("gone"), Given("gone", filled=Filled("", {}))):
        taken(office, given, key=str(given))
        await resumed(office)
        assert office.slack.last.text == str(Outdated())
        office.write(lambda c: c.exec_driver_sql("DELETE FROM intents"))
    taken(office, key="sealed")
    office.policy(sealing_keys=(new_key(),))
    await resumed(office)
    assert office.slack.last.text == str(Unreadable())
    assert office.slack.last.place == f"{OPS},{ANA}"


async def test_there_is_work_for_each_kind_and_none_for_what_is_gone(office: Office) -> None:
    assert set(work.WORK) == set(Kind)
    await work.resume(office.services, office.workspace.id, 99)


def test_each_name_has_one_answer_and_each_form_that_is_not_kept_only_looks() -> None:
    # The pie is posted once at most: after a crash it is asked for again.
    assert {form for form, submission in TABLE.forms.items() if not submission.kept} == {Form.DETAILS, Form.POST_PIE}
    assert set(PRESSES) == {one.value for one in TABLE.actions}
    assert set(FORMS) == {one.value for one in TABLE.forms}
