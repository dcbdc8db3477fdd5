# SPDX-License-Identifier: MIT
"""The library's messages name options of the program; here they name Python's arguments."""

from __future__ import annotations

import re

ARGUMENTS = {
    "audience": "audience", "ca-file": "ca_file", "category": "category", "checksum": "checksum=True",
    "connections": "max_connections", "exclude": "exclude", "files-from": "names", "filter-from": "rules",
    "flat-names": "whole_flat_names=True", "folder-structure": "structure", "follow-links": "follow_links=True",
    "ignore-unknown": "ignore_unknown=True", "include": "include", "include-clutter": "include_clutter=True",
    "journal": "journal", "max-delete": "max_delete", "min-age": "min_age", "modified-since": "modified_since",
    "modified-until": "modified_until", "overwrite": "overwrite=True", "proxy": "proxy", "service-file": "key",
    "trust-study-json": "trust_study_json=True", "user": "username"}
_OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)(?: (flat|hierarchical|whole|files|dicom|annotations|\d+)\b)?")
_SIGN_IN = "a user name and a password (--user NAME --password-stdin) or a service identity (--service-file FILE)"


def _argument(found: "re.Match[str]") -> str:
    name, value = ARGUMENTS.get(found[1]), found[2]
    if name is None:
        return found[0]
    if value is None or value == "whole":
        return name
    return f"{name}={value}" if value.isdigit() else f'{name}="{value}"'


def in_python(said: str) -> str:
    """The message with Python's names of options."""
    if "--" not in said:
        return said
    return _OPTION.sub(_argument, said.replace(_SIGN_IN, "smart_auth() a username, or a service's key"))
