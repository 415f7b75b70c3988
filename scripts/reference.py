"""Writes docs/reference.md from the program: its settings, commands and metrics. `make reference`; a test compares."""

import sys
from pathlib import Path
from types import SimpleNamespace

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.__main__ import app  # noqa: E402 - found beside this folder
from bot.metrics import Metrics  # noqa: E402
from bot.settings import reference  # noqa: E402

PAGE = ROOT / "docs" / "reference.md"
HEAD = """\
# Reference

Written by `make reference` from the program itself; a test says when it is stale.

"""


def settings():
    """Every setting, with its default and meaning."""
    lines = ["## Settings", "", "From the environment, or a file `.env` in the folder from which it is started.", ""]
    lines += ["| name | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {f'`{default}`' if default else ''} | {text} |" for name, default, text in reference()]
    return lines


def commands():
    """Every command, with its arguments and options."""
    lines = [
        "## Command line",
        "",
        "`piecewise` alone says what to do next, `piecewise --version` which one it is, and",
    ]
    lines += ["`piecewise --install-completion` makes your shell complete the commands.", ""]
    for name, command in sorted(typer.main.get_group(app).commands.items()):
        given = [one for one in command.params if not one.name.startswith("_")]
        words = " ".join(one.name.upper() for one in given if one.param_type_name == "argument")
        lines += [f"### piecewise {name} {words}".rstrip(), "", f"{command.help.strip()}", ""]
        rows = [row(one) for one in given if getattr(one, "help", None)]
        lines += ["| given | meaning |", "|---|---|", *rows, ""] if rows else []
    return lines[:-1]


def row(given):
    """One argument or option as a row of a table."""
    names = [given.name.upper()] if given.param_type_name == "argument" else [*given.opts, *given.secondary_opts]
    return f"| {', '.join(f'`{name}`' for name in names)} | {given.help} |"


def metrics():
    """Every metric, with its kind, labels and meaning."""
    lines = ["## Metrics", "", "At `PIECEWISE_METRICS_ADDRESS`, for Prometheus. When to be alarmed: "]
    lines[-1] += "[Watching Piecewise](operate.md)."
    lines += ["", "| metric | kind | meaning |", "|---|---|---|"]
    made = Metrics(memory=SimpleNamespace())
    for one in sorted(made.registry.collect(), key=lambda one: one.name):
        lines.append(f"| `{one.name}{'_total' if one.type == 'counter' else ''}` | {one.type} | {one.documentation} |")
    return lines


def page():
    """The whole page."""
    return HEAD + "\n".join([*settings(), "", *commands(), "", *metrics()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
