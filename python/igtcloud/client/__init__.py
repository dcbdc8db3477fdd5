# SPDX-License-Identifier: MIT
"""Client of the IGT Cloud Datalake, over libigtcloud."""

__source__ = "https://github.com/philips-labs/igtcloud-client"


def __getattr__(name: str) -> str:
    # Loading the library takes some milliseconds, which `import` alone does not need.
    if name == "__version__":
        from igtcloud.client import _library

        found: str = _library.version()
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
