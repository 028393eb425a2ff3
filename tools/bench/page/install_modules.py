"""install_modules.py NPM PACKAGE LOCK STAMP FOLDER: the packages that LOCK names, into FOLDER/node_modules; then writes STAMP."""

import os
import shutil
import subprocess
import sys


def main():
    npm, package, lock, stamp, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for path in (package, lock):
        shutil.copy(path, folder)
    # No package runs anything here: esbuild's program is found without its installation script.
    done = subprocess.run([npm, 'ci', '--ignore-scripts', '--include=dev', '--include=optional', '--prefer-offline', '--no-audit', '--no-fund',
                           '--no-update-notifier'],
                          cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        sys.exit(f'{done.stdout}\nnpm could not install what draws the charts of peernet-bench (above it says why). It needs a registry or a filled '
                 'cache; -Dbench_page=disabled builds without charts.')
    with open(stamp, 'w', encoding='ascii') as file:
        file.write('installed\n')


main()
