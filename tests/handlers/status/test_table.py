"""How what this wing answers is taken: kept before Slack is answered, in turn, by guests, or from the last hour."""

from handlers.status.table import TABLE
from tests.handlers.conftest import policy_of


def test_what_changes_something_is_kept_what_replaces_waits_its_turn_and_guests_only_look() -> None:
    assert policy_of(TABLE) == {
        "in_turn": {"choose_range", "range_first", "range_last"},
        "for_guests": {
            "/mailstatus",
            "choose_range",
            "compare_mail",
            "open_dashboard",
            "pick_campaign",
            "range_first",
            "range_last",
            "refresh_status",
        },
        "nameless": {
            "/mailstatus",
            "choose_range",
            "compare_mail",
            "open_dashboard",
            "pick_campaign",
            "range_first",
            "range_last",
            "refresh_status",
        },
        "kept": set(),
        "opens_page": set(),
    }
