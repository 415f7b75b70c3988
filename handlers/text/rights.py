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
#: "What does a guest see?", "can guests cancel?", "which campaigns can guests see here?".
_GUESTS: Final = re.compile(
    r"(?:so |and |hi |hey )?(?:what|which|how much|can|could|do|does|may|are|is|who)\b[^?]*\bguests?\b[^?]*"
    r"\b(?:sees?|seen|reads?|do|does|asks?|gets?|know|look|view|access|use|cancel|allowed|able|shown)\b[^?]*\W*"
    r"|(?:what|which)\b[^?]*\b(?:visible|shown|open|hidden)\b[^?]*\bguests?\W*",
    re.IGNORECASE,
)


def of_guests(text: str) -> bool:
    """Whether somebody asks what guests see or may: "what does a guest see?"."""
    return _GUESTS.fullmatch(text) is not None


def asked(text: str) -> bool:
    """Whether somebody asks who may cancel: "who can cancel?", "who approves cancellations?"."""
    return _ASKED.fullmatch(text) is not None


def people(chosen: frozenset[str]) -> str:
    """Those who were chosen: "admins", "everyone", or Slack user ids."""
    if "everyone" in chosen:
        return EVERYONE
    named = ([ADMINS] if "admins" in chosen else []) + [f"<@{one}>" for one in sorted(chosen - {"admins"})]
    return f"{', '.join(named[:-1])} and {named[-1]}" if named[1:] else "".join(named) or "Nobody"
