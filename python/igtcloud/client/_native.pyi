# SPDX-License-Identifier: MIT
from typing import Any

# cffi's: native.cdef says what they have.
ffi: Any
lib: Any
