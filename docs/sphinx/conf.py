# SPDX-License-Identifier: MIT
"""Sphinx's configuration. scripts/make-docs copies it into build-docs/source, beside the pages that it stages."""

import os
import re
import sys

sys.path.insert(0, os.environ['IGTCLOUD_PYTHON'])
project = 'igtcloud'
author = 'the authors of igtcloud'
release = os.environ.get('IGTCLOUD_VERSION', '')
extensions = ['myst_parser', 'sphinx.ext.autodoc']
html_theme = 'alabaster'
html_theme_options = {'fixed_sidebar': True, 'page_width': '1100px', 'description': 'A client for a medical data cloud'}
html_sidebars = {'**': ['about.html', 'navigation.html', 'searchbox.html']}
html_show_copyright = False
html_show_sourcelink = False
myst_heading_anchors = 4
highlight_language = 'none'  # indented blocks are shell, C, output and more
autodoc_inherit_docstrings = False  # those of fsspec are written for another page
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_class_signature = 'separated'
# Pages that GitHub shows, too, begin a level lower here and there. Python's own names have no page here.
suppress_warnings = ['myst.header']
smartquotes = False  # --- is a part of names of folders


def as_rst(app, what, name, obj, options, lines):
    """Docstrings are plain text: names in backticks, indented examples, and characters that mean nothing."""
    text, plain = [], True
    for line in lines:
        is_indented = line.startswith('    ')
        if is_indented and plain and (not text or not text[-1].strip()):
            text += ['::', '']
            plain = False
        elif line.strip() and not is_indented:
            plain = True
        if plain:
            line = re.sub(r'(?<!`)`([^`]+)`(?!`)', r'``\1``', line)
            parts = re.split(r'(``[^`]+``)', line)
            line = ''.join(part if part.startswith('``') else re.sub(r'([*|\\])|(_)(?!\w)', r'\\\g<0>', part)
                           for part in parts)
            if text and text[-1].startswith('    '):
                text.append('')
        text.append(line)
    lines[:] = text


def setup(app):
    app.connect('autodoc-process-docstring', as_rst)
