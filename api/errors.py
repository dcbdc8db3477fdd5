# SPDX-License-Identifier: MIT
"""How a description that cannot be turned into C is refused: by place."""

# Say nothing about the form of what is sent.
PROSE = {'description', 'summary', 'example', 'title', 'default', 'tags', 'externalDocs'}


class SpecError(Exception):
    """A description that cannot be turned into C."""

    def __init__(self, place, problem):
        super().__init__(f'{place}: {problem}')


def check_keys(node, known, place):
    """Refuses what is neither known here nor prose."""
    if not isinstance(node, dict):
        raise SpecError(place, 'an object is expected')
    for key in node:
        if key not in known and key not in PROSE and not key.startswith('x-'):
            raise SpecError(f'{place}/{key}', 'this is not supported')


def take(node, key, kind, place, otherwise=None):
    """node[key], which must be of this kind; absent: `otherwise`, or an empty one."""
    if not isinstance(node, dict):
        raise SpecError(place, 'an object is expected')
    if key not in node:
        return kind() if otherwise is None else otherwise
    words = {dict: 'an object', list: 'a list', str: 'a string'}
    if not isinstance(node[key], kind):
        raise SpecError(f'{place}/{key}', f'{words[kind]} is expected')
    return node[key]
