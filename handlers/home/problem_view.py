"""What is wrong and what to do about it, in words: the same in a direct message and in Home."""

from handlers.context.ports import Profile
from handlers.text import formatting
from handlers.text.messages import Message, section
from storage.troubles import Kind, Problem


def text(problem: Problem, platform: Profile, *, many: bool, public_url: str) -> str:
    """The sentences. `many`: the mail account is connected in Home, and the app is installed from a web page."""
    return _key(problem, platform, many=many) if problem.kind is Kind.KEY else _token(problem, public_url)


def _key(problem: Problem, platform: Profile, *, many: bool) -> str:
    since = formatting.stamp(problem.since)
    do = "then choose *Mail account* in my *Home*" if many else f"set `{platform.key_setting}` to it, and restart me"
    return (
        f"*{platform.name} no longer accepts the API key* (since {since}). Until it is replaced I can't read anything "
        "new, and can't cancel; what I show is what I read last. "
        f"Copy a key from {platform.name}'s dashboard → {platform.keys_at}, {do}."
    )


def _token(problem: Problem, public_url: str) -> str:
    ends = f"It ends {formatting.stamp(problem.until)}: install" if problem.until else "Install"
    return (
        f"*Slack didn't renew my access to this workspace.* {ends} me again before that at {public_url}/slack/install. "
        "Nothing gets lost: the mail account, alerts and settings stay as they are."
    )


def message(said: str) -> Message:
    """As a direct message."""
    return Message(said, [section(f":warning: {said}")])
