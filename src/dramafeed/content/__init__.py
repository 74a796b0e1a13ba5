"""The folder that writers use: read, checked, and turned into the nouns of `dramafeed.model`.

Will not know what was published before, and never makes anything public.

    LibraryReader, load     the whole folder as a `model.Library`, with the problems found
    UnsettledError          a file changed while it was being published: look again soon
    render, Surface         a body as HTML for page, feed and fediverse, or as plain text
    first_sentences         a summary out of plain text
    ingest                  one picture, made small and clean
    Watcher, watch          which files changed and have settled
    first_commits           when files were first committed, under git
    import_text             a foreign text becomes content files
    json_schema             the fields of each kind of file, for editors
    slugify and kin         names
"""

from .history import first_commits
from .importer import ImportResult, import_text
from .library import LibraryReader, load
from .linking import UnsettledError
from .markdown import render
from .markdown_source import Surface
from .media import BadPictureError, ingest
from .names import fold_to_ascii, nearest, slugify
from .schema import json_schema
from .sentences import first_sentences
from .watcher import Watcher, watch

__all__ = [
    "BadPictureError",
    "ImportResult",
    "LibraryReader",
    "Surface",
    "UnsettledError",
    "Watcher",
    "first_commits",
    "first_sentences",
    "fold_to_ascii",
    "import_text",
    "ingest",
    "json_schema",
    "load",
    "nearest",
    "render",
    "slugify",
    "watch",
]
