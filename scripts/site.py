"""What MkDocs does here beside its own: pages at the top of the repository are on the site, too."""

import logging
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
TOP = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "manifest.yml")


def on_files(files, config):
    """Adds them."""
    for name in TOP:
        files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown, page, **_more):
    """On the site all lies in one folder, and what belongs to a numbered line stands four spaces in, not three."""
    folder = r"\]\(docs/" if page.file.src_uri in TOP else r"\]\(\.\./"
    return re.sub(r"^ {3}(?=\S)", "    ", re.sub(folder, "](", markdown), flags=re.MULTILINE)


def on_page_content(html, page, **_more):
    """A list that fell apart is a warning, and so fails `make docs`."""
    text = re.sub(r"<(pre|div class=\"highlight\").*?</pre>", "", html, flags=re.DOTALL)
    if broken := re.search(r"^(?:\d+\. |- |\|).*", text, re.MULTILINE):
        logging.getLogger("mkdocs.hooks").warning("%s: no list or table: %s", page.file.src_uri, broken[0][:80])
    return html
