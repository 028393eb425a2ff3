"""embed.py STYLE SCRIPT OUTPUT: a C++ file that holds the style and the script of the page. SCRIPT may be '-': a build without charts."""

import base64
import hashlib
import sys

PIECE = 60_000  # bytes of a string literal; compilers need not take more than 65,536


def literal(data):
    """Strings of one line each, which the compiler joins: they compile at once, an array of 300,000 numbers does not."""
    def byte(value):
        if value in b'"\\?':  # ??= and its like were characters once
            return '\\' + chr(value)
        return chr(value) if 32 <= value < 127 else f'\\{value:03o}'
    return '\n'.join('    "' + ''.join(map(byte, data[at:at + 120])) + '"' for at in range(0, len(data), 120))


def pieces(name, data):
    parts = ',\n'.join(literal(data[at:at + PIECE]) for at in range(0, len(data), PIECE))
    return f'const std::vector<std::string_view> {name}{{\n{parts}}};\n\n'


def main():
    style, script, output = sys.argv[1:]
    with open(style, 'rb') as file:
        css = file.read()
    js = b''
    if script != '-':
        with open(script, 'rb') as file:
            js = file.read()
    for text, end in ((css, b'</style'), (js, b'</script'), (js, b'<!--')):
        if end in text.lower():
            sys.exit(f'embed.py: {end.decode()} would end the element that holds this text')
    # What a browser compares with the Content-Security-Policy: the text of the element as it stands in the page.
    digest = base64.b64encode(hashlib.sha256(js).digest()).decode()
    with open(output, 'w', encoding='ascii') as file:
        file.write('// Made by embed.py.\n#include "page_parts.hpp"\n\nnamespace peernet::bench::page_parts {\n\n'
                   f'{pieces("kStyle", css)}{pieces("kScript", js)}'
                   f'const std::string_view kScriptDigest = "{digest}";\n\n}}  // namespace peernet::bench::page_parts\n')


main()
