# SPDX-License-Identifier: MIT
"""docs/api.md, which is generated from the descriptions, is up to date and complete."""

import json
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECS = [ROOT / 'api' / name for name in ('auth.json', 'action.json', 'entities.json')]
sys.path.insert(0, str(ROOT / 'api'))

import describe  # noqa: E402

PAGE = (ROOT / 'docs' / 'api.md').read_text(encoding='utf-8')

pytestmark = pytest.mark.plain('the same in every build')


def specs():
    return [json.loads(path.read_text(encoding='utf-8')) for path in SPECS]


def test_the_page_is_made_of_the_descriptions_as_they_are():
    made = describe.describe_md(describe.read(map(str, SPECS)))
    assert PAGE == made, ('docs/api.md is old: python3 api/describe.py --markdown docs/api.md '
                          'api/auth.json api/action.json api/entities.json')


def test_every_operation_and_field_stands_there():
    for spec in specs():
        for item in spec['paths'].values():
            for method, node in item.items():
                if method != 'parameters':
                    assert f"\n### {node['operationId']}\n" in PAGE
        for name, model in spec['definitions'].items():
            section = PAGE.split(f'\n### {name}\n')[1].split('\n### ')[0]
            own = model['allOf'][1] if 'allOf' in model else model
            for field in own.get('properties', {}):
                assert f'| `{field}` |' in section


def test_links_lead_somewhere():
    sections = {name.lower() for name in re.findall(r'^#+ (.+)$', PAGE, re.M)}
    links = re.findall(r'\]\(#([^)]+)\)', PAGE)
    assert len(links) > 120
    assert not set(links) - sections


def test_the_tables_in_c_hold_no_broken_text():
    made = describe.describe_c(describe.read(map(str, SPECS)))
    assert made.count('igt_operation_info operations[] = {') == 1
    assert len(re.findall(r'"/api/[^"]*"', made)) == 103
    assert all(len(line) < 400 and line.count('"') % 2 == 0 for line in made.splitlines())
