"""Who may do what, in words."""

import re
from typing import Final

ADMINS: Final = "Workspace admins"
EVERYONE: Final = "Everyone except guests"
_ASKED: Final = re.compile(
    r"who(?: all| else)? (?:can|could|may|(?:is|are) (?:allowed|able) to|has (?:the )?rights? to)"
    r" (?:cancel|stop|approve|call off)\b.*|who (?:cancels|approves)\b.*"
    r"|(?:can|may|am) i (?:allowed to )?cancel(?: mail| campaigns| something)?\W*",
    re.IGNORECASE,
)


def asked(text: str) -> bool:
    """Whether somebody asks who may cancel: "who can cancel?", "who approves cancellations?"."""
    return _ASKED.fullmatch(text) is not None


def people(chosen: frozenset[str]) -> str:
    """Those who were chosen: "admins", "everyone", or Slack user ids."""
    if "everyone" in chosen:
        return EVERYONE
    named = ([ADMINS] if "admins" in chosen else []) + [f"<@{one}>" for one in sorted(chosen - {"admins"})]
    return f"{', '.join(named[:-1])} and {named[-1]}" if named[1:] else "".join(named) or "Nobody"
