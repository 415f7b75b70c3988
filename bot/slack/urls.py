"""Where we may call out to. Only Slack tells us addresses at run time, so only Slack's own are called."""

from typing import Final
from urllib.parse import urlsplit

SLACK: Final = ".slack.com"
HTTPS: Final = 443
#: Our own pages of an installation.
INSTALL: Final = "/slack/install"
REDIRECT: Final = "/slack/oauth_redirect"


def is_slacks(address: str, api: str) -> bool:
    """Whether this is an https address of Slack's, or of the very host and port that its Web API is set to."""
    try:
        given, own = urlsplit(address), urlsplit(api)
        port = given.port
    except ValueError:
        return False
    if given.username is not None or given.password is not None or not given.hostname:
        return False
    if (given.scheme, given.netloc) == (own.scheme, own.netloc):
        return True
    return given.scheme == "https" and port in (None, HTTPS) and f".{given.hostname}".endswith(SLACK)
