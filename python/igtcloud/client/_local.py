# SPDX-License-Identifier: MIT
"""The files of a folder that is uploaded: all of them, and none from elsewhere."""

from __future__ import annotations

import logging
import os
import stat
from typing import List, Tuple

logger = logging.getLogger("igtcloud.client.tools.upload_project")


def kind_of(path: str) -> int:
    """stat.S_IFDIR or S_IFREG; 0 for what is left out, which is named: it may be wanted."""
    kind = stat.S_IFMT(os.lstat(path).st_mode)
    if kind in (stat.S_IFDIR, stat.S_IFREG):
        return kind
    logger.warning("%s: left out: %s", path, "it is a link, and links are not followed" if kind == stat.S_IFLNK else
                   "it is not a regular file")
    return 0


def _raise(error: OSError) -> None:
    raise error


def files_below(folder: str) -> List[Tuple[str, str]]:
    """(path, name below the folder with '/') of each file. A folder that cannot be read is an error."""
    paths = [os.path.join(root, name) for root, folders, names in os.walk(folder, onerror=_raise)
             for name in folders + names]
    return [(path, os.path.relpath(path, folder).replace(os.path.sep, "/")) for path in paths
            if kind_of(path) == stat.S_IFREG]
