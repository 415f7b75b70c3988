"""The demo finds a port by itself, and opens a browser only where somebody sits before one."""

import socket

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.cli.opening import free_port, has_screen


def test_the_next_free_port_is_taken_when_the_usual_one_is_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = free_port(port)
        assert found != port
        with socket.socket() as free:
            free.bind(("127.0.0.1", found))


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_no_machine_has_is_refused_in_one_line(port: str) -> None:
    said = CliRunner().invoke(app, ["demo", "--no-browser", "--port", port])
    assert (said.exit_code, "port" in said.stderr, "Traceback" in said.stderr) == (2, True, False)


@pytest.mark.parametrize(
    ("environment", "system", "is_terminal", "shown"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True), ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "darwin", True, True), ({}, "linux", True, False), ({"DISPLAY": ":0"}, "linux", False, False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", True, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, "linux", True, False),
    ],
)  # fmt: skip
def test_a_browser_is_opened_only_where_somebody_looks(
    environment: dict[str, str], system: str, is_terminal: bool, shown: bool
) -> None:
    assert has_screen(environment, system, is_terminal=is_terminal) is shown
