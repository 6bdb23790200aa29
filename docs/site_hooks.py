"""Hooks of the MkDocs build: pages from outside docs/, and links to the repository's files.

Pages link to files outside docs/ as they do on a code host, such as `../LICENSE`. A site has only
what lies in docs/, so the build copies each file that is linked to into the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

#: Files of the repository that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
#: Folder of the site that holds the repository's other files.
_COPIES = "repository"
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written outside docs/."""
    for name, uri in PAGES.items():
        path = _root(config) / name
        files.append(File.generated(config, uri, content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    sources = {uri: name for name, uri in PAGES.items()}
    uri = page.file.src_uri
    source = sources.get(uri, f"docs/{uri}")

    def translate(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        return posixpath.relpath(_place(target, config, files), posixpath.dirname(uri) or ".")

    return _LINK.sub(translate, markdown)


def _place(target: str, config: MkDocsConfig, files: Files) -> str:
    """Where in the site a file of the repository is; it is copied there if need be."""
    if target in PAGES:
        return PAGES[target]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    if target.endswith(".md"):
        raise PluginError(f"{target} is linked to, but no page of the site; name it in PAGES")
    copy = f"{_COPIES}/{target}"
    path = _root(config) / target
    if path.is_file() and files.get_file_from_path(copy) is None:
        files.append(File.generated(config, copy, abs_src_path=str(path)))
    return copy


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
