#!/usr/bin/env python3
"""Prints the executables that a folder's meson.build defines, as ninja targets: targets.py BUILD_DIR FOLDER."""

import json
import os
import sys


def executables(build_dir, folder):
    """Paths relative to the build directory of every executable defined in `folder` or below it."""
    with open(os.path.join(build_dir, 'meson-info', 'intro-targets.json'), encoding='utf-8') as file:
        targets = json.load(file)
    with open(os.path.join(build_dir, 'meson-info', 'meson-info.json'), encoding='utf-8') as file:
        info = json.load(file)
    source, build = info['directories']['source'], info['directories']['build']
    found = []
    for target in targets:
        defined_in = os.path.relpath(target['defined_in'], source)
        if target['type'] == 'executable' and defined_in.startswith(folder.rstrip('/') + '/'):
            found.append(os.path.relpath(target['filename'][0], build))
    return sorted(found)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print('\n'.join(executables(sys.argv[1], sys.argv[2])))
