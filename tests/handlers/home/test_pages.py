"""Which pages, buttons and bars Home shows."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from handlers.context.gaps import Call, sentence
from handlers.home import first_steps, problem_view
from handlers.home import view as home_view
from handlers.status.view import CampaignLine, Standing
from handlers.text.buttons import Action, OneRow
from handlers.text.codec import write
from handlers.text.parsing import ALL_TIME
from storage.records import CampaignId, Gap, KnownCampaign, Mix, StoredCampaign
from storage.statuses import Status
from storage.troubles import Kind, Problem
from tests.fakes import PROFILE
from tests.handlers.conftest import pressable
from tests.strategies import NOW

PAGE = home_view.PAGE


def report(number: int = 1, page: int = 0, mix: Mix | None = None, **facts: Any) -> home_view.Report:
    """A Home over so many campaigns."""
    standing = Standing(
        mix or Mix({Status.DELIVERED: 8, Status.RETURNED: 2}), ALL_TIME, date(2026, 11, 2), "USD", None, NOW, "Stannp"
    )
    here = range(page * PAGE, min(number, (page + 1) * PAGE))
    lines = [
        CampaignLine(
            StoredCampaign(CampaignId(n + 1), KnownCampaign(str(n), f"Drop {n:02}")), Mix({Status.DELIVERED: 1})
        )
        for n in here
    ]
    return home_view.Report(standing, lines, number, "all", page, **facts)


def blocks(made: home_view.Report) -> list[dict[str, Any]]:
    return list(home_view.home(made)["blocks"])


@pytest.mark.parametrize(
    ("number", "page", "pages", "said"),
    [
        (PAGE, 0, [], ""),
        (PAGE + 1, 0, [1], f"1 to {PAGE}"),
        (PAGE + 1, 1, [0], f"{PAGE + 1} to {PAGE + 1}"),
        (2 * PAGE, 1, [0], f"{PAGE + 1} to {2 * PAGE}"),
        (2 * PAGE + 1, 1, [0, 2], f"{PAGE + 1} to {2 * PAGE}"),
    ],
)
def test_a_page_leads_to_those_before_and_after_it(number: int, page: int, pages: list[int], said: str) -> None:
    shown = blocks(report(number, page))
    turned = [value for action, value in pressable(shown) if action == Action.HOME_PAGE]
    assert turned == [write(OneRow(one)) for one in pages]
    head = next(one["text"]["text"] for one in shown if "*Campaigns*" in str(one))
    assert said in head
    assert (" to " in head.replace("to move", "")) == bool(said)


def test_without_campaigns_there_is_no_page() -> None:
    assert "*Campaigns*" not in str(blocks(report(0)))


@pytest.mark.parametrize(("admin", "account"), [(False, False), (False, True), (True, False), (True, True)])
def test_only_who_may_change_settings_is_offered_them(admin: bool, account: bool) -> None:
    shown = blocks(
        report(
            settings_admin=admin,
            account=account,
            webhook="Webhook soon",
            gaps="a gap",
            note="a note",
            runway="a runway",
        )
    )
    actions = {action for action, _ in pressable(shown)}
    assert ({Action.SETTINGS.value, Action.AUDIT.value} <= actions) == admin
    assert ({Action.CONNECT.value, Action.WEBHOOK.value} <= actions) == (admin and account)
    assert ("Webhook soon" in str(shown)) == admin
    assert all(word in str(shown) for word in ("a gap", "a note", "a runway"))
    plain = blocks(report())
    assert Action.SETTINGS.value not in {action for action, _ in pressable(plain)}
    assert ":warning:" not in str(plain)


def test_words_of_the_platform_and_names_are_shown_as_they_are_and_call_nobody() -> None:
    refused = Gap("(Fish & <!channel>) refused", NOW, NOW, passing=False)
    said = str(blocks(report(gaps=sentence({Call.SOME: refused}, "Stannp"), note="<!here>")))
    assert "(Fish &amp; &lt;!channel&gt;) refused since <!date^" in said
    assert "<!channel" not in said
    assert "<!here" not in said


def test_what_is_not_there_takes_no_block() -> None:
    full = blocks(report(settings_admin=True, webhook="w", gaps="g", note="n", runway="r", problems=["p", "q"]))
    assert len(full) == len(blocks(report())) + 7


def test_a_picture_takes_the_place_of_the_squares() -> None:
    pictured = blocks(report(picture="https://mail.example/x.png"))
    assert any(one["type"] == "image" for one in pictured)
    assert "square:" not in str(pictured)
    assert "square:" in str(blocks(report()))


def test_a_guest_and_somebody_unknown_read_different_words() -> None:
    guest, unknown = first_steps.for_guests(), first_steps.for_guests(unknown=True)
    assert "guest" in str(guest)
    assert "guest" not in str(unknown)


def test_a_token_that_ends_is_named_with_its_end() -> None:
    lasting = Problem(Kind.TOKEN, NOW, None, None)
    said = [
        problem_view.text(one, PROFILE, many=True, public_url="https://p.example")
        for one in (lasting, replace(lasting, until=NOW))
    ]
    assert all("https://p.example/slack/install" in one for one in said)
    assert ["It ends" in one for one in said] == [False, True]
