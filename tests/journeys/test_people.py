"""An answer of users.info counts only when it is about the person who was asked for, and says who they are."""

from typing import Any

import pytest

from bot.sandbox.slack import Fault, User
from tests.journeys.conftest import BEN, OPS, Stage, everything

pytestmark = pytest.mark.calm
GUEST = "U0GST"
STRANGER = {
    "id": "U0OTHER",
    "team_id": "T0ACME",
    "is_admin": True,
    "is_restricted": False,
    "is_ultra_restricted": False,
}
OF_THEM = STRANGER | {"id": GUEST}
#: What says nothing of this guest, though Slack says "ok".
NOTHING: dict[str, Any] = {
    "empty": {},
    "null": None,
    "a list": [STRANGER],
    "a text": GUEST,
    "somebody else": STRANGER,
    "no flags": {"id": GUEST, "team_id": "T0ACME", "real_name": "Gus"},
    "flags of nonsense": OF_THEM | {"is_restricted": None},
    "a team of nonsense": OF_THEM | {"team_id": ["T0ACME"]},
    "no team": {key: value for key, value in OF_THEM.items() if key != "team_id"},
    "an organization of nonsense": OF_THEM | {"enterprise_user": ["E1"]},
}


def answers(stage: Stage, monkeypatch: pytest.MonkeyPatch, user: Any) -> None:
    monkeypatch.setattr(stage.slack, "_users_info", lambda _arguments: {"ok": True, "user": user})


@pytest.mark.parametrize("user", NOTHING.values(), ids=NOTHING.keys())
@pytest.mark.parametrize("pairing", ["socket-sqlite"])
async def test_a_guest_stays_one_while_slack_says_nothing_of_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, user: Any
) -> None:
    stage.slack.add_user(User(GUEST, "Gus Guest", restricted=True))
    answers(stage, monkeypatch, user)
    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id), user=GUEST)
    assert "found no piece" in everything(shown), f"a guest reads {shown.text[:60]}"


@pytest.mark.parametrize("user", [STRANGER, None], ids=["somebody else", "null"])
async def test_nobody_cancels_by_the_rights_of_somebody_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, user: Any
) -> None:
    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id), user=BEN, channel=OPS)
    answers(stage, monkeypatch, user)
    before = await stage.press(shown, "cancel_piece", user=BEN)
    await stage.until(lambda: piece.status == "cancelled" or len(stage.slack.messages) > before)
    assert piece.status == "received", "who may not cancel did"
    assert "Slack isn't telling me right now who you are" in stage.slack.messages[-1].text


async def test_who_was_known_a_moment_ago_may_go_on_looking(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = stage.stannp.pieces_of(223)[0]
    await stage.say("/mailtrack", str(piece.id))
    answers(stage, monkeypatch, {})
    assert piece.lastname in everything(await stage.say("/mailtrack", str(piece.id)))


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "7"])
@pytest.mark.parametrize("pairing", ["socket-sqlite"])
async def test_an_answer_that_is_no_object_is_an_outage_in_words(stage: Stage, body: str) -> None:
    stage.slack.faults.append(Fault("users.info", body=body, times=10))
    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id))
    assert "found no piece" in everything(shown)
