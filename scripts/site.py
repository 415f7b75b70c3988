"""What MkDocs does here beside its own: pages at the top of the repository are on the site, too."""

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
    """On the site everything lies in one folder."""
    folder = r"\]\(docs/" if page.file.src_uri in TOP else r"\]\(\.\./"
    return re.sub(folder, "](", markdown)
