"""What the sandbox's page carries out for a person, as Slack would."""

import pytest

from bot.sandbox.page import as_person
from bot.sandbox.slack import BOT_USER, Acked, SlackDouble, User


@pytest.mark.parametrize("text", ["help", "@Piecewise status Spring"])
async def test_plain_words_in_the_bots_direct_messages_reach_it_no_more_than_in_slack(text: str) -> None:
    slack = SlackDouble(users={"U1": User("U1", "Ana")})
    said = await as_person(slack, {"kind": "say", "channel": "DU1", "text": text}, "U1")
    assert said == "plain words here are not shown to Piecewise. Try /mailstatus, /mailtrack or /mailalerts."
    assert [one.text for one in slack.messages] == [text]


async def test_a_mention_anywhere_in_a_message_reaches_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    slack = SlackDouble(users={"U1": User("U1", "Ana")})
    heard: list[str] = []

    async def mention(_user: str, _channel: str, text: str, _thread: str | None = None) -> Acked:
        heard.append(text)
        return Acked(True)

    monkeypatch.setattr(slack, "mention", mention)
    await as_person(slack, {"kind": "say", "channel": "C1", "text": "Hi @piecewise, where is our mail?"}, "U1")
    assert heard == [f"Hi <@{BOT_USER}>, where is our mail?"]
