"""Each header of src/ and include/ compiles alone, and one that does not is found."""

import os
import tempfile
import unittest

import headers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD_ROOT = os.environ['PEERNET_BUILD_ROOT']


class Headers(unittest.TestCase):
    def test_each_header_compiles_alone(self):
        self.assertTrue(headers.headers(ROOT))
        found = headers.violations(ROOT, os.path.join(BUILD_ROOT, 'house-headers.json'))
        if found:
            self.fail('\n'.join(found))


class Planted(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.cache = os.path.join(self.dir.name, 'cache.json')

    def write(self, path, text):
        full = os.path.join(self.dir.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write('#pragma once\n' + text)

    def found(self):
        return headers.violations(self.dir.name, self.cache)

    def test_a_header_that_needs_another_one_first_is_found(self):
        self.write('include/peernet/good.hpp', 'struct Good {};\n')
        self.write('src/wire/needy.hpp', 'inline std::size_t f() { return 1; }\n')
        for _ in range(2):  # a failure is not remembered as good
            found = self.found()
            self.assertEqual(len(found), 1)
            self.assertTrue(found[0].startswith('src/wire/needy.hpp'))

    def test_only_a_header_that_its_source_includes_first_is_left_to_the_build(self):
        for first, count in (('#include <cstddef>\n#include "wire/needy.hpp"\n', 1), ('#include "wire/needy.hpp"\n', 0)):
            self.write('src/wire/needy.hpp', 'inline std::size_t f() { return 1; }\n')
            self.write('src/wire/needy.cpp', first)
            self.assertEqual(len(self.found()), count)

    def test_a_change_below_a_header_is_noticed(self):
        self.write('src/base/low.hpp', 'struct Low { int x; };\n')
        self.write('src/wire/high.hpp', '#include "base/low.hpp"\ninline int f(Low l) { return l.x; }\n')
        self.assertEqual(self.found(), [])
        self.write('src/base/low.hpp', 'struct Low { int y; };\n')
        self.assertEqual(len(self.found()), 1)


if __name__ == '__main__':
    unittest.main()
