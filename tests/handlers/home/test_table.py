"""How what this wing answers is taken: kept before Slack is answered, in turn, by guests, or from the last hour."""

from handlers.home.table import TABLE
from tests.handlers.conftest import policy_of


def test_what_changes_something_is_kept_what_replaces_waits_its_turn_and_guests_only_look() -> None:
    assert policy_of(TABLE) == {
        "in_turn": {"home_first", "home_last", "home_nearest", "home_page", "home_range"},
        "nameless": {
            "home_first",
            "home_last",
            "home_page",
            "home_range",
            "home_nearest",
            "home_refresh",
            "post_pie",
            "show_pie",
        },
        "kept": set(),
        "for_guests": set(),
        "opens_page": set(),
    }
