"""May this person do this here?"""

from handlers.ports import Person, Refusal
from handlers.services import Policy


class NotAllowed(Refusal):
    """You may not cancel mail here. Ask a workspace admin, or to be added to PIECEWISE_CANCELLERS."""


def require_canceller(policy: Policy, user: str, person: Person) -> None:
    """Raises NotAllowed unless this person may cancel mail."""
    allowed = policy.cancellers
    if "everyone" in allowed or user in allowed or ("admins" in allowed and person.is_admin):
        return
    raise NotAllowed
