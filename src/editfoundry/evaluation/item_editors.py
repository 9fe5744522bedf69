"""Editors that need more of an item than its picture and its instruction, such as its captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from editfoundry.evaluation.editing import Editor


@runtime_checkable
class ItemEditor(Protocol):
    """An editor that is told which items the batch is about before it edits them."""

    def for_items(self, items: Sequence[Any]) -> Editor:
        """Return the editor of a batch whose images, instructions and seeds are those of ``items``, in order.

        Items are ``EditCase`` or ``BenchmarkItem``. The returned editor raises ``Rejection`` where an item lacks what
        it needs; the reason is recorded as the item's failure.
        """
        ...


def editor_of(editor: Any, items: Sequence[Any]) -> Editor:
    """Return ``editor`` itself, or, where it asks for items, the one it makes for ``items``."""
    made: Editor = editor.for_items(items) if isinstance(editor, ItemEditor) else editor
    return made
