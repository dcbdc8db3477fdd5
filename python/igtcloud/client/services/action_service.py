# SPDX-License-Identifier: MIT
"""The action service."""

from __future__ import annotations

from typing import Any

from igtcloud.client.services.action.apis import ActionApi
from igtcloud.client.services.base_service import BaseService

__all__ = ["ActionService"]


class ActionService(BaseService, ActionApi):
    """The operations of /api/action."""

    def __init__(self, api_client: Any) -> None:
        BaseService.__init__(self, api_client, "/api/action")
        ActionApi.__init__(self, api_client)
