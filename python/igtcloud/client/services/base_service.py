# SPDX-License-Identifier: MIT
"""What the three services and the collections of models have in common."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Optional, TypeVar

from igtcloud.client.core.auth import AuthHandler

__all__ = ["BaseService", "CollectionWrapper"]

_T = TypeVar("_T")


class BaseService:
    """A service: the operations of its `...Api` classes, sent with the tokens of its `auth_handler`."""

    def __init__(self, api_client: Any, host_path: str) -> None:
        self._host_path = host_path
        self._auth_handler: Optional[AuthHandler] = None
        self.api_client = api_client
        api_client.configuration.auth_handler_provider = self._get_auth_handler
        api_client.configuration.host_path = host_path

    def _get_auth_handler(self) -> AuthHandler:
        handler = self._auth_handler
        if handler is None:
            handler = self._auth_handler = AuthHandler()
        return handler

    @property
    def auth_handler(self) -> AuthHandler:
        """The tokens in use; without set_auth() those of the running `igtcloud login`."""
        return self._get_auth_handler()

    @auth_handler.setter
    def auth_handler(self, value: Optional[AuthHandler]) -> None:
        self._auth_handler = value


class CollectionWrapper(List[_T]):
    """A list of what is in the cloud. append, extend, insert and remove change the cloud, too.

    f_init loads it; f_add sends an item and returns what the cloud made of it; f_remove deletes one.
    What has no function raises RuntimeError("Not supported"). Indexing, slices, sort and del concern the
    list alone.
    """

    def __init__(self, iterable: Optional[Iterable[_T]] = None, f_init: Optional[Callable[[], Iterable[_T]]] = None,
                 f_add: Optional[Callable[[_T], Optional[_T]]] = None,
                 f_remove: Optional[Callable[[_T], Any]] = None) -> None:
        self._init = f_init
        self._add = f_add
        self._remove = f_remove
        items = list(iterable or ())
        super().__init__(items or (self._loaded() if callable(f_init) else ()))

    def _loaded(self) -> Iterable[_T]:
        return (self._init() or ()) if callable(self._init) else ()

    def _send(self, item: _T) -> Optional[_T]:
        if not callable(self._add):
            raise RuntimeError("Not supported")
        return self._add(item)

    def append(self, item: _T) -> Optional[_T]:  # type: ignore[override]
        """Adds it in the cloud. Returns what the cloud made of it, which is in the list; `item` is unchanged."""
        made = self._send(item)
        if made is not None:
            super().append(made)
        return made

    def extend(self, items: Iterable[_T]) -> None:
        """Adds each of them in the cloud."""
        if not callable(self._add):
            raise RuntimeError("Not supported")
        for item in items:
            self.append(item)

    def insert(self, index: Any, item: _T) -> None:
        """Adds it in the cloud, and in the list at this place."""
        made = self._send(item)
        if made is not None:
            super().insert(index, made)

    def remove(self, item: _T) -> None:
        """Deletes it in the cloud and from the list. ValueError if it was not in the list."""
        if not callable(self._remove):
            raise RuntimeError("Not supported")
        self._remove(item)
        super().remove(item)

    def clear(self) -> None:
        raise RuntimeError("Not supported")

    def pop(self, index: Any = -1) -> _T:
        raise RuntimeError("Not supported")

    def reload(self) -> None:
        """Loads it again, in place."""
        if callable(self._init):
            self[:] = self._loaded()

    def to_dict(self, key_fn: Callable[[_T], Any]) -> Dict[Any, _T]:
        """{key_fn(item): item}; of equal keys the last."""
        return {key_fn(item): item for item in self}

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with a row for each item and a column for each field."""
        from igtcloud.client import frames

        return frames.models(self)  # type: ignore[arg-type]

    def _repr_html_(self) -> str:
        from igtcloud.client import notebook

        return notebook.models(self)  # type: ignore[arg-type]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)  # a copy is in no cloud
