"""How what this wing answers is taken: kept before Slack is answered, in turn, by guests, or from the last hour."""

from handlers.alerts.table import TABLE
from tests.handlers.conftest import policy_of


def test_what_changes_something_is_kept_what_replaces_waits_its_turn_and_guests_only_look() -> None:
    assert policy_of(TABLE) == {
        "kept": {"alerts_do", "alerts_undo", "save_alerts"},
        "opens_page": {"/mailalerts"},
        "in_turn": set(),
        "for_guests": set(),
        "nameless": set(),
    }
