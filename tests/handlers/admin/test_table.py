"""How what this wing answers is taken: kept before Slack is answered, in turn, by guests, or from the last hour."""

from handlers.admin.table import TABLE
from tests.handlers.conftest import policy_of


def test_what_changes_something_is_kept_what_replaces_waits_its_turn_and_guests_only_look() -> None:
    assert policy_of(TABLE) == {
        "kept": {"audit_export", "erase_others", "erase_recipient", "save_settings"},
        "in_turn": {"audit_older"},
        "for_guests": set(),
        "nameless": set(),
        "opens_page": set(),
    }
