"""Where the demo listens, and whether a browser can be shown it."""

import socket
from collections.abc import Mapping
from typing import Final

USUAL_PORT: Final = 8765
#: So many ports after the usual one are tried.
TRIED: Final = 20
HERE: Final = "127.0.0.1"


def free_port(first: int = USUAL_PORT) -> int:
    """The first port from this one on that nobody listens on; whichever the system has where all of these are taken."""
    return next((port for port in range(first, first + TRIED) if _is_free(port)), 0) or _any_port()


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        # As the server itself does: a port whose last connections are still closing is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HERE, port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    with socket.socket() as tried:
        tried.bind((HERE, 0))
        return int(tried.getsockname()[1])


def has_screen(environment: Mapping[str, str], system: str, *, is_terminal: bool) -> bool:
    """Whether a person sits here with a screen: neither a pipe, nor CI, nor a machine reached over SSH.

    `system` is `sys.platform`.
    """
    if not is_terminal or environment.get("CI") or environment.get("SSH_CONNECTION"):
        return False
    drawn = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return system in ("darwin", "win32") or bool(drawn)
