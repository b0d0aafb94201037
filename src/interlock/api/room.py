"""A room of routes: what guards them is told once, and the application takes them as they are."""

from __future__ import annotations

from typing import Any, Self

from litestar import Router


class Room(Router):
    """Routes under one guard, made for one application, which takes it without copying it.

    An application copies a router deeply, lest two applications share one: each handler, each type that its routes
    name. That is half of what it costs to make one. A room is made anew for each application, and so are its handlers,
    which every router copies for itself.
    """

    def __deepcopy__(self, _memo: dict[int, Any], /) -> Self:
        """Itself."""
        return self
