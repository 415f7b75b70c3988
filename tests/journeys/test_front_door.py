"""The front door: what is not Slack's or Stannp's is refused, and nothing is done."""

import gzip
import json
import time
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.sandbox.slack import encode, sign
from tests.journeys.conftest import ANA, OPS, Stage


@pytest.fixture
def pairing() -> str:
    return "http-sqlite"


def a_command(stage: Stage, text: str = "help", trigger: str = "t1") -> bytes:
    body = {
        "command": "/mailstatus",
        "text": text,
        "user_id": ANA,
        "channel_id": OPS,
        "team_id": "T0ACME",
        "trigger_id": trigger,
    }
    return encode("slash_commands", body)[0]


def signed(stage: Stage, raw: bytes, age: int = 0) -> dict[str, str]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return sign(stage.slack.signing_secret, raw, int(time.time()) - age) | form


def at_work(stage: Stage) -> list[str]:
    """The requests that are being answered."""
    return [name for task in stage.app.in_flight.tasks if (name := task.get_name()).startswith("command:")]


async def refused(stage: Stage, raw: bytes, headers: dict[str, str], status: int) -> None:
    before = len(stage.slack.messages)
    assert (await stage.slack.send_raw(raw, headers)).status == status
    assert at_work(stage) == []
    assert len(stage.slack.messages) == before


@pytest.mark.parametrize(
    "change",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=\u00e9"},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": "9" * 400},
        {"X-Slack-Request-Timestamp": "0"},
    ],
)
async def test_a_wrong_signature_is_refused(stage: Stage, change: dict[str, str]) -> None:
    raw = a_command(stage)
    await refused(stage, raw, signed(stage, raw) | change, 401)


async def test_an_unsigned_a_stale_and_a_changed_request_are_refused(stage: Stage) -> None:
    raw = a_command(stage)
    await refused(stage, raw, {"Content-Type": "application/json"}, 401)
    await refused(stage, raw, signed(stage, raw, age=301), 401)
    await refused(stage, raw + b"&x=1", signed(stage, raw), 401)
    await refused(stage, b"\xff\xfe", signed(stage, b"\xff\xfe"), 401)


async def test_a_replay_is_refused(stage: Stage) -> None:
    raw = a_command(stage)
    headers = signed(stage, raw)
    await stage.slack.send_raw(raw, headers)
    await stage.until(lambda: not at_work(stage))
    await refused(stage, raw, headers, 401)


async def test_a_command_may_hold_any_word(stage: Stage) -> None:
    answer = await stage.say("/mailtrack", "payload spring")
    assert "payload spring" in answer.text


async def test_the_same_request_signed_anew_is_answered_once(stage: Stage) -> None:
    # Slack's own retries carry a new signature; it is their id that tells.
    before = len(stage.slack.messages)
    for age in (0, 1):
        raw = a_command(stage, "", trigger="same")
        assert (await stage.slack.send_raw(raw, signed(stage, raw, age))).ok
    await stage.until(lambda: not at_work(stage))
    assert len(stage.slack.messages) == before + 1


async def test_an_oversized_body_is_refused(stage: Stage) -> None:
    raw = b"x" * 1_000_001
    await refused(stage, raw, signed(stage, raw), 413)
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    assert await stage.stannp.call_webhook(address, b"x" * 1_000_001) == 413


@pytest.mark.parametrize(
    ("raw", "signature", "status"),
    [
        (b'{"event":"test_url"}', None, 200),
        (b'{"event":"something_new","things":[1]}', None, 200),
        (b'{"event":"mailpiece_status","mailpieces":[null,7,{}]}', None, 200),
        (b'{"event":"mailpiece_status"}', "0" * 64, 401),
        # Signed, and so taken: an error would be one of five after which Stannp calls no more.
        (b"not json", None, 200),
        (b"[" * 10_000, None, 200),
    ],
)
async def test_webhooks_are_understood_or_refused(stage: Stage, raw: bytes, signature: str | None, status: int) -> None:
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    assert await stage.stannp.call_webhook(address, raw, signature) == status


@pytest.mark.parametrize("stage", [{"stannp_webhook_secret": ""}], indirect=True)
async def test_the_webhook_can_be_added_before_its_secret_is_known_here(stage: Stage) -> None:
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    assert await stage.stannp.shake_hands(address) == 200
    assert await stage.stannp.call_webhook(address, b'{"event":"mailpiece_status","mailpieces":[]}') == 401


async def test_health_and_readiness(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        for path, status in (("healthz", 200), ("readyz", 200), ("nothing", 404)):
            async with session.get(f"http://127.0.0.1:{stage.app.port}/{path}") as response:
                assert response.status == status


@pytest.mark.parametrize("path", ["webhooks/stannp", "slack/events"])
@pytest.mark.parametrize("coding", ["deflate", "gzip", "br", "zstd"])
async def test_a_body_that_does_not_unpack_is_refused_and_no_fault_of_ours(
    stage: Stage, path: str, coding: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:
        for body in (b"\x1f\x8b\x08nonsense" * 9, b"", gzip.compress(b"{}" * 99)[:-20]):
            sent = session.post(f"http://127.0.0.1:{stage.app.port}/{path}", data=body, headers=headers)
            async with sent as answer:
                assert answer.status in (400, 401), f"answered {answer.status}"
    assert "Traceback" not in caplog.text


async def test_a_form_of_another_version_is_answered_in_words(stage: Stage) -> None:
    await stage.slack.command(ANA, OPS, "/mailalerts")
    form = await stage.modal(holding="save_alerts")
    form.view["callback_id"] = "save_alerts_v9"
    before = len(stage.slack.messages)
    assert (await stage.slack.submit(ANA, form)).ok
    assert "out of date" in (await stage.answer(before)).text


async def test_a_payload_of_no_shape_of_slacks_is_named_and_no_fault_of_ours(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    press = {"type": "block_actions", "user": {"id": ANA}, "team": {"id": "T0ACME"}, "actions": []}
    assert not (await stage.slack.deliver("interactive", press)).ok
    assert "not_understood" in caplog.text
    assert "Traceback" not in caplog.text
    assert (await stage.say("/mailtrack", "help")).text


ASKER = {"user": {"id": ANA}, "team": {"id": "T0ACME"}}
EVENT = {"type": "event_callback", "event_id": "E1", "team_id": "T0ACME"}
MENTION = {"type": "app_mention", "user": ANA, "channel": OPS, "ts": "1.2", "text": "hi"}
PRESS = {"type": "block_actions", "actions": [{"action_id": "x"}], **ASKER}


@pytest.mark.parametrize(
    "body",
    [
        {
            "type": "view_submission",
            "command": "/nope",
            "user_id": ANA,
            "channel_id": OPS,
            "view": {"callback_id": [1]},
        },
        {"type": "event_callback", "command": "/mailstatus", "user_id": ANA, "channel_id": OPS, "event": {"type": "x"}},
        {**PRESS, "response_urls": 5},
        {**PRESS, "response_urls": [1]},
        {**PRESS, "container": {"message_ts": "1.1"}, "message": {"blocks": 5}},
        {**EVENT, "event": {**MENTION, "authorizations": 5}},
        {**EVENT, "event": {"type": "message", "enterprise": 5}},
        {"type": "shortcut", "callback_id": "zz", "view": [], **ASKER},
        {"type": "block_suggestion", "event": None, **ASKER},
        {"type": "workflow_step_edit", **ASKER},
        {"type": "workflow_step_edit", "callback_id": "x", **ASKER},
        {"type": "view_submission", **ASKER},
    ],
    ids="-".join,
)
async def test_what_is_signed_and_of_no_shape_breaks_nothing(
    stage: Stage, body: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    raw = json.dumps(body).encode()
    acked = await stage.slack.send_raw(raw, signed(stage, raw) | {"Content-Type": "application/json"})
    assert acked.status in (200, 400, 404)
    await stage.until(lambda: not stage.app.in_flight.tasks)
    assert "reference" not in str([stage.slack.messages, stage.slack.views])
    assert "Traceback" not in caplog.text
    assert "broke" not in caplog.text


@pytest.mark.parametrize(
    "more",
    [{"type": "event_callback"}, {"type": "view_submission", "view": "x"}, {"authorizations": "x"}, {"event": "x"}],
)
async def test_a_form_may_hold_words_of_other_kinds(stage: Stage, more: dict[str, str]) -> None:
    raw = a_command(stage) + b"&" + urlencode(more).encode()
    assert (await stage.slack.send_raw(raw, signed(stage, raw))).status == 200
    await stage.answer(0)
