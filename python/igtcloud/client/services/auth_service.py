# SPDX-License-Identifier: MIT
"""The auth service."""

from __future__ import annotations

from typing import Any

from igtcloud.client.services.auth.apis import AuthApi
from igtcloud.client.services.base_service import BaseService

__all__ = ["AuthService"]


class AuthService(BaseService, AuthApi):
    """The operations of /api/auth."""

    def __init__(self, api_client: Any) -> None:
        BaseService.__init__(self, api_client, "/api/auth")
        AuthApi.__init__(self, api_client)
