"""The rules of files.py hold, and a planted violation of each is found."""

import os
import tempfile
import unittest

import files

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Files(unittest.TestCase):
    def check(self, found):
        if found:
            self.fail('\n'.join(found))

    def test_the_walk_sees_the_project(self):
        seen = set(files.files(ROOT))
        for path in ('dev', '.ci/run', 'meson.build', 'src/base/check.hpp', 'tests/house/files.py', 'tests/skips.txt'):
            self.assertIn(path, seen)

    def test_no_file_is_too_long(self):
        self.check(files.too_long(ROOT))

    def test_nothing_is_left_over(self):
        self.check(files.leftovers(ROOT))

    def test_each_room_has_a_short_readme(self):
        self.check(files.readmes(ROOT))

    def test_each_source_is_built(self):
        self.check(files.not_built(ROOT))

    def test_each_header_is_guarded(self):
        self.check(files.unguarded_headers(ROOT))

    def test_documents_lead_to_files_that_exist(self):
        self.check(files.dead_references(ROOT))

    def test_the_threats_name_tests_that_exist(self):
        self.check(files.dead_test_names(ROOT))

    def test_each_skip_has_its_reason(self):
        self.check(files.bad_skips(ROOT))


class Planted(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def write(self, path, text=''):
        full = os.path.join(self.dir.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write(text)

    def test_a_long_file_is_found(self):
        self.write('src/wire/long.cpp', 'int x;\n' * (files.MAX_LINES + 1))
        self.write('src/wire/fits.cpp', 'int x;\n' * files.MAX_LINES)
        self.assertEqual(len(files.too_long(self.dir.name)), 1)

    def test_leftovers_are_found(self):
        for text in ('// TO' + 'DO: later', '# FIX' + 'ME', '// X' + 'XX', '#if 0', 'TEST(A, DISABLED_B) {', '// see /work/' + 'main/x'):
            with self.subTest(text=text):
                self.write('src/wire/a.cpp', text + '\n')
                self.assertEqual(len(files.leftovers(self.dir.name)), 1)
        self.write('src/wire/a.cpp', 'XXH3_128bits(); mkstemp("/tmp/aXXXXXX"); #if 01\n')
        self.assertEqual(files.leftovers(self.dir.name), [])

    def test_a_missing_and_a_long_readme_are_found(self):
        self.write('src/wire/a.hpp')
        self.write('src/crypto/a.hpp')
        self.write('src/crypto/README.md', 'line\n' * 31)
        self.write('src/io/a.hpp')
        self.write('src/io/README.md', 'line\n' * 30)
        self.write('src/empty/meson.build')
        self.assertEqual(len(files.readmes(self.dir.name)), 2)

    def test_a_source_that_is_not_built_is_found(self):
        self.write('src/wire/a.cpp')
        self.write('src/wire/sub/b.cpp')
        self.write('src/wire/dead.cpp')
        self.write('src/wire/meson.build', "files('a.cpp', 'sub/b.cpp')\n")
        self.assertEqual(files.not_built(self.dir.name), ['src/wire/dead.cpp: no meson.build names it'])

    def test_a_header_without_guard_is_found(self):
        self.write('src/wire/a.hpp', 'int f();\n')
        self.assertEqual(len(files.unguarded_headers(self.dir.name)), 1)

    def test_a_dead_reference_is_found(self):
        self.write('docs/real.md')
        self.write('src/wire/packet.hpp')
        self.write('src/wire/README.md', '[a](../../docs/real.md#part) [b](https://example.org/x) `src/wire/packet.hpp` `src/<room>/x`\n'
                   '[c](gone.md)\n`src/wire/gone.hpp`\n')
        self.assertEqual(len(files.dead_references(self.dir.name)), 2)

    def test_a_threat_without_its_test_is_found(self):
        self.assertEqual(len(files.dead_test_names(self.dir.name)), 1)
        self.write('tests/unit/a_test.cpp', 'TEST(Path, Holds) {}\nTEST_P(Disk, Heals) {}\n')
        self.write('docs/security.md', '`Path.Holds` `Disk.Heals` `src/a.hpp`\n`Path.Heals`\n')
        self.assertEqual(len(files.dead_test_names(self.dir.name)), 1)

    def test_a_skip_without_reason_is_found(self):
        self.write('tests/skips.txt', 'unit_io/Uring.Sends\nunit_io/Uring.Sends |\nunit_io | why\n# remark\n\na/b | why\n')
        self.assertEqual(len(files.bad_skips(self.dir.name)), 3)


if __name__ == '__main__':
    unittest.main()
