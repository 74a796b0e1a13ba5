"""One look at the folder: what is there, and what was found out about it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from dramafeed.model import Problem

from . import tree
from .tree import Entry, FileKind, Tree


@dataclass
class Pass:
    """One look at the folder.

    `changed` are the paths that have to be looked at again; None: all of them.
    `unsettled` files are still being written; of these, `unseen` ones are new and count as absent.
    `waiting` files are fine, but something they need is not there yet.
    """

    tree: Tree
    changed: set[str] | None = None
    unsettled: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    young_pictures: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # files that could not be opened

    def entries(self, kind: FileKind) -> list[Entry]:
        """The files of one kind that take part, in path order."""
        return [entry for entry in self.tree.of(kind) if entry.path not in self.unseen]

    def paths(self, kind: FileKind) -> list[str]:
        """The paths of the files of one kind that take part, in path order."""
        return sorted(self.tree.kinds[kind].keys() - self.unseen)

    @property
    def unread(self) -> set[str]:
        """The paths that cannot take part as they are, and have to be looked at again."""
        return self.unsettled | self.unseen | self.waiting | self.young_pictures

    def concerns(self, kind: FileKind) -> bool:
        """True when a file of a kind may have changed."""
        return self.changed is None or any(tree.classify(path) is kind for path in self.changed)

    def refuse(self, problem: Problem) -> None:
        """Notes an error: its file cannot be published as it is."""
        self.problems.append(problem)
        self.broken.add(problem.path)

    def refuse_second(self, taken: dict[str, str], key: str, path: str) -> None:
        """Refuses `path` when an earlier file has the address `key` already."""
        first = taken.setdefault(key, path)
        if first != path:
            message = f"{first} has the same address `{key}`"
            self.refuse(Problem(path, message, "Rename one of the two files."))

    def unpublishable(self, path: str) -> bool:
        """True when the file cannot take part in this library."""
        return path in self.broken or path in self.unsettled or path in self.waiting

    def read(self, entry: Entry) -> bytes | None:
        """The bytes of a file; None, with the reason noted, when there is nothing to be read now."""
        if entry.path in self.unsettled:
            return None
        try:
            data = tree.read(entry)
        except FileNotFoundError:
            self.unseen.add(entry.path)  # deleted since the look
            return None
        except OSError as error:
            message = f"The file cannot be read ({error.strerror})"
            self.refuse(Problem(entry.path, message, "Check its rights."))
            self.refused.add(entry.path)
            return None
        if data is None:
            self.unsettled.add(entry.path)
        return data
