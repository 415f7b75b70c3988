"""Slack's limits on blocks and views, as one strict checker (docs.slack.dev, Block Kit reference)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Json = Any

DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
SURFACE_BLOCKS: Final = {"message": 50, "modal": 100, "home": 100}
ALLOWED: Final = {
    "message": {"section", "header", "context", "actions", "divider", "image"},
    "modal": {"section", "header", "context", "actions", "divider", "image", "input"},
}
ELEMENTS: Final = {
    "section": {"button", "static_select", "overflow", "image", "datepicker"},
    "actions": {"button", "static_select", "overflow", "datepicker"},
    "input": {
        "plain_text_input",
        "static_select",
        "checkboxes",
        "radio_buttons",
        "datepicker",
        "multi_users_select",
        "conversations_select",
    },
    "context": {"mrkdwn", "plain_text", "image"},
}


def check_message(text: Json, blocks: Json) -> list[str]:
    """What Slack would refuse in this message; empty when nothing."""
    found = list(_blocks("message", blocks or []))
    if not isinstance(text, str) or not text.strip():
        found.append("text: missing, so notifications and screen readers say nothing")
    elif len(text) > 40_000:  # noqa: PLR2004 - chat.postMessage cuts here
        found.append("text: more than 40000 characters")
    return found


def check_view(view: Json) -> list[str]:
    """What Slack would refuse in this view; empty when nothing."""
    if not isinstance(view, dict) or view.get("type") not in ("modal", "home"):
        return ["view: not a modal or home"]
    kind = str(view["type"])
    found = list(_blocks("modal", view.get("blocks"), SURFACE_BLOCKS[kind]))
    inputs = [block for block in view.get("blocks", []) if block.get("type") == "input"]
    if kind == "home" and not all(block.get("dispatch_action") for block in inputs):
        # Slack takes them, but a Home cannot be submitted: what was typed would never reach anybody.
        found.append("blocks: an input in a Home that dispatches no action")
    if kind == "modal":
        for name in ("title", "submit", "close"):
            if name in view or name == "title":
                found += _plain(name, view.get(name), 24)
        if any(block.get("type") == "input" for block in view.get("blocks", [])) and "submit" not in view:
            found.append("submit: required with input blocks")
    found += _length("private_metadata", view.get("private_metadata", ""), 0, 3000)
    found += _length("callback_id", view.get("callback_id", ""), 0, 255)
    return found


def _blocks(surface: str, blocks: Json, most: int | None = None) -> Iterator[str]:
    if not isinstance(blocks, Sequence) or isinstance(blocks, str):
        yield "blocks: not a list"
        return
    limit = most or SURFACE_BLOCKS[surface]
    if len(blocks) > limit:
        yield f"blocks: {len(blocks)}, more than {limit}"
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        where = f"blocks/{index}"
        if not isinstance(block, dict) or block.get("type") not in ALLOWED[surface]:
            yield f"{where}: unknown type {block.get('type') if isinstance(block, dict) else block!r}"
            continue
        block_id = block.get("block_id", "")
        yield from _length(f"{where}/block_id", block_id, 0, 255)
        if block_id and block_id in seen:
            yield f"{where}/block_id: twice"
        seen.add(block_id)
        yield from CHECKS[block["type"]](where, block)


def _section(where: str, block: Mapping[str, Json]) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield f"{where}: neither text nor fields"
    if "text" in block:
        yield from _text(f"{where}/text", block["text"], 1, 3000)
    fields = block.get("fields", [])
    if "fields" in block and not 1 <= len(fields) <= 10:  # noqa: PLR2004
        yield f"{where}/fields: {len(fields)}, not 1 to 10"
    for index, field in enumerate(fields):
        yield from _text(f"{where}/fields/{index}", field, 1, 2000)
    if "accessory" in block:
        yield from _element(f"{where}/accessory", block["accessory"], ELEMENTS["section"])


def _header(where: str, block: Mapping[str, Json]) -> Iterator[str]:
    yield from _plain(f"{where}/text", block.get("text"), 150)


def _context(where: str, block: Mapping[str, Json]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= 10:  # noqa: PLR2004
        yield f"{where}/elements: {len(elements)}, not 1 to 10"
    for index, element in enumerate(elements):
        yield from _text(f"{where}/elements/{index}", element, 1, 2000)


def _actions(where: str, block: Mapping[str, Json]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= 25:  # noqa: PLR2004
        yield f"{where}/elements: {len(elements)}, not 1 to 25"
    ids = [element.get("action_id") for element in elements]
    if len(ids) != len(set(ids)):
        yield f"{where}/elements: an action_id twice"
    for index, element in enumerate(elements):
        yield from _element(f"{where}/elements/{index}", element, ELEMENTS["actions"])


def _image(where: str, block: Mapping[str, Json]) -> Iterator[str]:
    if ("slack_file" in block) == ("image_url" in block):
        yield f"{where}: exactly one of slack_file and image_url"
    file = block.get("slack_file")
    if file is not None and ("id" in file) == ("url" in file):
        yield f"{where}/slack_file: exactly one of id and url"
    yield from _length(f"{where}/alt_text", block.get("alt_text"), 1, 2000)
    if "title" in block:
        yield from _plain(f"{where}/title", block["title"], 2000)


def _input(where: str, block: Mapping[str, Json]) -> Iterator[str]:
    yield from _plain(f"{where}/label", block.get("label"), 2000)
    yield from _element(f"{where}/element", block.get("element"), ELEMENTS["input"])


def _divider(_where: str, _block: Mapping[str, Json]) -> Iterator[str]:
    return iter(())


CHECKS: Final = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "input": _input,
    "divider": _divider,
}


def _element(where: str, element: Json, allowed: set[str]) -> Iterator[str]:
    if not isinstance(element, dict) or element.get("type") not in allowed:
        yield f"{where}: an element that does not belong here"
        return
    yield from _length(f"{where}/action_id", element.get("action_id"), 1, 255)
    if element["type"] == "button":
        yield from _button(where, element)
    if element["type"] in ("static_select", "checkboxes", "radio_buttons", "overflow"):
        yield from _choice(where, element)
    if element["type"] == "datepicker" and not DAY.fullmatch(element.get("initial_date", "2026-01-01")):
        yield f"{where}/initial_date: not a day"
    if element["type"] == "plain_text_input":
        yield from _length(
            f"{where}/initial_value", element.get("initial_value", ""), 0, element.get("max_length", 3000)
        )
        if "placeholder" in element:
            yield from _plain(f"{where}/placeholder", element["placeholder"], 150)
    if "confirm" in element:
        yield from _confirm(f"{where}/confirm", element["confirm"])


def _button(where: str, element: Mapping[str, Json]) -> Iterator[str]:
    yield from _plain(f"{where}/text", element.get("text"), 75)
    yield from _length(f"{where}/value", element.get("value", ""), 0, 2000)
    yield from _length(f"{where}/url", element.get("url", ""), 0, 3000)
    yield from _length(f"{where}/accessibility_label", element.get("accessibility_label", ""), 0, 75)
    if element.get("style", "primary") not in ("primary", "danger"):
        yield f"{where}/style: neither primary nor danger"


def _choice(where: str, element: Mapping[str, Json]) -> Iterator[str]:
    most = {"static_select": 100, "overflow": 5}.get(element["type"], 10)
    options = element.get("options", [])
    if not 1 <= len(options) <= most:
        yield f"{where}/options: {len(options)}, not 1 to {most}"
    for index, option in enumerate(options):
        yield from _plain(f"{where}/options/{index}/text", option.get("text"), 75)
        yield from _length(f"{where}/options/{index}/value", option.get("value"), 1, 150)
    chosen = [element["initial_option"]] if "initial_option" in element else element.get("initial_options", [])
    if "initial_options" in element and not chosen:
        yield f"{where}/initial_options: empty"
    if any(option not in options for option in chosen):
        yield f"{where}: an initial option that is not among the options"
    if "placeholder" in element:
        yield from _plain(f"{where}/placeholder", element["placeholder"], 150)


def _confirm(where: str, confirm: Mapping[str, Json]) -> Iterator[str]:
    yield from _plain(f"{where}/title", confirm.get("title"), 100)
    yield from _text(f"{where}/text", confirm.get("text"), 1, 300)
    yield from _plain(f"{where}/confirm", confirm.get("confirm"), 30)
    yield from _plain(f"{where}/deny", confirm.get("deny"), 30)


def _plain(where: str, value: Json, most: int) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") != "plain_text":
        yield f"{where}: not plain_text"
        return
    yield from _length(where, value.get("text"), 1, most)


def _text(where: str, value: Json, least: int, most: int) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") not in ("mrkdwn", "plain_text"):
        yield f"{where}: not a text object"
        return
    yield from _length(where, value.get("text"), least, most)


def _length(where: str, value: Json, least: int, most: int) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{where}: not text"
    elif not least <= len(value) <= most:
        yield f"{where}: {len(value)} characters, not {least} to {most}"
