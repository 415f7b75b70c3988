"""Modules that are loaded when they are first used: numpy takes eleven megabytes and a tenth of a second, and a process
that foretells nothing needs neither."""

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module until something of it is asked for. Type checkers are told the module itself."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        # Kept here from now on, so that each is looked for once.
        found = self.__dict__[name] = getattr(import_module(self._name), name)
        return found
