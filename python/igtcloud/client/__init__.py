# SPDX-License-Identifier: MIT
"""Client of the IGT Cloud Datalake, over libigtcloud."""

import os
import sys
import warnings

__source__ = "https://github.com/philips-labs/igtcloud-client"


def __getattr__(name: str) -> str:
    # Loading the library takes some milliseconds, which `import` alone does not need.
    if name == "__version__":
        from igtcloud.client import _library

        found: str = _library.version()
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _warn_of_the_old_client() -> None:
    """Two distributions have this package: what the other one installs into the same folder, or a folder earlier in
    the path, takes this one's place, file by file. The names beside the package show it; reading metadata would take
    as long as the rest of the import."""
    for folder in sys.modules["igtcloud"].__path__:
        try:
            names = os.listdir(os.path.dirname(folder))
        except OSError:
            continue
        old = next((name for name in names if "igtcloudclient" in name), None)
        if old:
            warnings.warn(f"the existing client is installed beside this package ({old} in {os.path.dirname(folder)}), "
                          "and their files replace each other: run pip uninstall igtcloudclient, then install igtcloud "
                          "again", stacklevel=3)


_warn_of_the_old_client()
