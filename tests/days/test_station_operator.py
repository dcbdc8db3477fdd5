# SPDX-License-Identifier: MIT
"""An operator's weeks with an upload station: station_operator.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import station_operator  # noqa: E402


def test_weeks_of_a_station(tmp_path):
    station_operator.main(tmp_path)
