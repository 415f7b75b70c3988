"""What is read of the options in an address, as PostgreSQL itself reads it."""

import pytest

from storage.pooling import settings_in


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("-c statement_timeout=8s -c lock_timeout=4s", [("statement_timeout", "8s"), ("lock_timeout", "4s")]),
        ("-clock_timeout=4s --lock-timeout=5s", [("lock_timeout", "4s"), ("lock_timeout", "5s")]),
        ("-c search_path= -c lock_timeout=4s", [("search_path", ""), ("lock_timeout", "4s")]),
        (r"-c application_name=a\ name\\s", [("application_name", "a name\\s")]),
        ("-c lock_timeout = 4s -c", []),
        ("", []),
    ],
)
def test_options_are_parted_by_spaces_that_nothing_escapes(options: str, settings: list[tuple[str, str]]) -> None:
    assert settings_in(options) == settings
