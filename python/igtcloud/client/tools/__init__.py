# SPDX-License-Identifier: MIT
"""The existing client's tools: whole projects, with the library's transfers underneath."""

import logging

logger = logging.getLogger(__name__)
