# SPDX-License-Identifier: MIT
"""The services of the cloud, one object each, and set_auth(), which says who uses them."""

from __future__ import annotations

from typing import Optional

from igtcloud.client.core.auth import AuthHandler
from igtcloud.client.services._api_client import ApiClient, Configuration
from igtcloud.client.services.action_service import ActionService
from igtcloud.client.services.auth_service import AuthService
from igtcloud.client.services.base_service import BaseService
from igtcloud.client.services.entities_service import EntitiesService

__all__ = ["entities_service", "auth_service", "action_service", "set_auth"]

# The names of the modules: "from ...services.entities_service import X" finds the module all the same.
auth_service = AuthService(ApiClient(Configuration()))
action_service = ActionService(ApiClient(Configuration()))
entities_service = EntitiesService(ApiClient(Configuration()))


def set_auth(auth: Optional[AuthHandler]) -> None:
    """All services use these tokens from now on, in all threads; None: those of the running `igtcloud login`."""
    for service in (entities_service, auth_service, action_service):
        service.auth_handler = auth  # type: ignore[assignment]
