"""Folders between real processes: what is kept, what is refused, going on after interruptions, selections, sources that change."""

import os
import shutil
import signal
import stat
import subprocess
import unittest

from peernet_program import ProgramTest, random_bytes, read, write

MIB = 1 << 20
ROOT = os.geteuid() == 0


def listing(folder):
    """What a transfer keeps: kinds, modes, times, bytes, where links lead."""
    found = {}
    for at, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(at, name)
            info = os.lstat(path)
            inside = os.path.relpath(path, folder)
            if stat.S_ISLNK(info.st_mode):
                found[inside] = ('link', os.readlink(path))
            elif stat.S_ISDIR(info.st_mode):
                found[inside] = ('folder', stat.S_IMODE(info.st_mode), info.st_mtime_ns)
            else:
                found[inside] = ('file', stat.S_IMODE(info.st_mode), info.st_mtime_ns, read(path))
    return found


class Folders(ProgramTest):
    def make_tree(self, name, files):
        for path, data in files.items():
            full = self.at(name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            write(full, data)
        return self.at(name)

    def assert_same(self, one, other):
        one, other = listing(one), listing(other)
        self.assertEqual(sorted(one), sorted(other))
        for path in one:
            self.assertTrue(one[path] == other[path], f'{path}: {one[path][:3]} and {other[path][:3]}')


class Kept(Folders):
    def round_trip(self, source, *words):
        share = self.share(source, '-q')
        self.got(share.link, '-o', 'copy', *words)
        self.assert_same(source, self.at('copy'))
        self.assertFalse(os.path.exists(self.at('copy.part')))
        self.got(share.link, '-o', 'copy')  # already complete
        self.ends(self.start('verify', 'copy', '--against', share.link, '--state', self.state), 0)
        return share

    def test_modes_times_links_and_everything_empty(self):
        source = self.make_tree('tree', {'program': b'#!/bin/sh\n', 'private/key': b'k' * 100, 'big': random_bytes(3 * MIB + 7),
                                         '.hidden/.file': b'h', 'zero': b'', 'deep/er/and/er': random_bytes(70_000)})
        os.mkdir(self.at('tree', 'empty'))
        os.chmod(self.at('tree', 'program'), 0o755)
        os.chmod(self.at('tree', 'private', 'key'), 0o600)
        os.chmod(self.at('tree', 'private'), 0o700)
        os.symlink('er/and', self.at('tree', 'deep', 'link'))
        os.symlink('../big', self.at('tree', 'deep', 'up'))
        os.symlink('nowhere', self.at('tree', 'dangling'))
        os.utime(self.at('tree', 'zero'), ns=(1, 981173106_123456789))
        os.utime(self.at('tree', 'big'), ns=(1, -5_000_000_000))
        os.chmod(self.at('tree', 'deep'), 0o555)
        self.addCleanup(os.chmod, self.at('tree', 'deep'), 0o755)
        os.utime(self.at('tree', 'empty'), ns=(1, 1_000_000_000_000_000_000))
        self.round_trip(source, '--verify', 'sha256')
        os.chmod(self.at('copy', 'deep'), 0o755)

    def test_names_that_need_care(self):
        source = self.make_tree('a tree with spaces', {'  spaces  ': b'1', 'ümläut/日本語': b'2', '-dash': b'3', '%41': b'4',
                                                       'x' * 255: b'5', "quote'\"$(touch x)": b'6', 'back\\slash': b'7'})
        write(os.fsencode(self.at('a tree with spaces')) + b'/not \xff utf8', b'8')
        deep = '/'.join(['d' * 200] * 15)
        self.make_tree('a tree with spaces', {deep + '/end': b'9'})
        self.round_trip(source)

    def test_an_empty_folder(self):
        os.mkdir(self.at('tree'))
        self.round_trip(self.at('tree'))

    def test_twenty_thousand_files(self):
        self.make_tree('tree', {f'{i % 100}/{i}': i.to_bytes(4, 'big') * (i % 300) for i in range(20_000)})
        share = self.share(self.at('tree'), '-q')
        # Not synced: one syncfs waits for whatever else this host writes.
        get = self.got(share.link, '-o', 'copy', '--progress', 'json', '--sync', 'none')
        self.assert_same(self.at('tree'), self.at('copy'))
        start = next(event for event in get.events() if event['event'] == 'start')
        self.assertEqual((start['name'], start['files']), ('tree', 20_000))

    def test_where_the_folder_goes(self):
        self.make_tree('src/tree', {'a': b'1'})
        share = self.share(self.at('src', 'tree'), '-q')
        os.mkdir(self.at('into'))
        self.got(share.link)
        self.got(share.link, '-o', 'into/')
        self.got(share.link, '-o', 'into/renamed')
        for path in ('tree', 'into/tree', 'into/renamed'):
            self.assert_same(self.at('src', 'tree'), self.at(path))
        # Not "into it", as it is with files: NAME.part would be looked for elsewhere when it goes on.
        get = self.ends(self.get(share.link, '-o', 'into'), 10)
        self.assertIn('--overwrite', self.assert_one_sentence(get))

    def test_info_tells_what_is_in_it(self):
        self.make_tree('tree', {'a/one.txt': b'1' * 1000, 'two.bin': b'2' * 3000})
        share = self.share(self.at('tree'), '-q')
        info = self.ends(self.start('info', share.link, '-v'), 0)
        text = '\n'.join(info.out)
        for words in ('tree/', 'files:     2', '4000', 'a/one.txt', 'two.bin'):
            self.assertIn(words, text)
        self.assertNotIn('two.bin', '\n'.join(self.ends(self.start('info', share.link), 0).out))
        listed = '\n'.join(self.ends(self.start('info', share.link, '--files', '*.txt'), 0).out)
        self.assertIn('one.txt', listed)
        self.assertNotIn('two.bin', listed)
        self.assertIn('files:     2', '\n'.join(self.ends(self.start('info', 'tree'), 0).out))


class Refused(Folders):
    def refused(self, path, *words):
        share = self.ends(self.start('share', path, '--listen', '127.0.0.1:0', '--state', self.state), 2)
        sentence = self.assert_one_sentence(share)
        for word in words:
            self.assertIn(word, sentence)
        self.assertEqual(share.out, [])

    def test_what_cannot_be_shared_is_named(self):
        self.make_tree('tree', {'sub/fine': b'x'})
        for name, make in (('pipe', os.mkfifo), ('out', lambda path: os.symlink('../../etc/passwd', path)),
                           ('absolute', lambda path: os.symlink('/etc/passwd', path)), ('new\nline', lambda path: write(path, b'x'))):
            with self.subTest(name=name):
                path = self.at('tree', 'sub', name)
                make(path)
                self.refused('tree', name.split('\n')[0])
                os.unlink(path)

    def test_a_device_is_refused(self):
        self.refused('/dev/null', 'regular files and folders')

    def test_a_file_without_rights_is_named(self):
        self.make_tree('tree', {'sub/secret': b'x'})
        os.chmod(self.at('tree', 'sub', 'secret'), 0)
        share = self.ends(self.start('share', 'tree', '--listen', '127.0.0.1:0', '--state', self.state,
                                     wrapper=self.without_override()), 7)
        self.assertIn('secret', self.assert_one_sentence(share))

    def test_a_target_that_holds_something_else_stays_untouched(self):
        self.make_tree('tree', {'a': b'new', 'b': b'new'})
        share = self.share(self.at('tree'), '-q')
        self.make_tree('copy', {'a': b'old', 'c': b'old'})
        self.ends(self.get(share.link, '-o', 'copy'), 10)
        self.assertEqual(sorted(os.listdir(self.at('copy'))), ['a', 'c'])
        self.ends(self.start('verify', 'copy', '--against', share.link, '--state', self.state), 6)
        self.got(share.link, '-o', 'copy', '--overwrite')
        self.assert_same(self.at('tree'), self.at('copy'))
        write(self.at('copy', 'more'), b'x')  # verify: the same files, no others
        self.ends(self.start('verify', 'copy', '--against', share.link, '--state', self.state), 6)

    def test_a_folder_does_not_replace_a_file(self):
        self.make_tree('tree', {'a': b'new'})
        share = self.share(self.at('tree'), '-q')
        self.make('copy', b'a file')
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'copy'), 10))
        self.get(share.link, '-o', 'copy', '--overwrite').wait()
        self.assert_file(self.at('copy'), b'a file')

    def test_a_folder_does_not_go_to_a_pipe(self):
        self.make_tree('tree', {'a': b'new'})
        share = self.share(self.at('tree'), '-q')
        get = self.ends(self.get(share.link, '-o', '-'), 2)
        self.assertIn('folder', self.assert_one_sentence(get))
        self.assertEqual(get.out, [])


class Selections(Folders):
    def setUp(self):
        super().setUp()
        self.make_tree('tree', {'a/1.jpg': random_bytes(300_000), 'a/2.txt': b't' * 10, 'b/3.jpg': random_bytes(2 * MIB), 'b/c/4.txt': b'u',
                                '5.txt': random_bytes(5 * MIB)})
        self.sharing = self.share(self.at('tree'), '-q')

    def files(self, folder):
        return sorted(os.path.relpath(os.path.join(at, name), self.at(folder)) for at, _, names in os.walk(self.at(folder)) for name in names)

    def test_only_selected_files_come(self):
        for i, (words, expected) in enumerate(((['*.jpg'], ['a/1.jpg', 'b/3.jpg']), (['/*.txt'], ['5.txt']), (['b'], ['b/3.jpg', 'b/c/4.txt']),
                                               (['b/**/*.txt', 'a/2*'], ['a/2.txt', 'b/c/4.txt']))):
            with self.subTest(words=words):
                globs = [word for pattern in words for word in ('--files', pattern)]
                get = self.got(self.sharing.link, '-o', f'some{i}', *globs, '--progress', 'json')
                self.assertEqual(self.files(f'some{i}'), expected)
                for path in expected:
                    self.assert_file(self.at(f'some{i}', path), read(self.at('tree', path)))
                done = get.events()[-1]
                self.assertEqual(done['event'], 'done')
                if '5.txt' not in expected:
                    self.assertLess(done['bytes_received'], 5 * MIB)

    def test_a_pattern_that_selects_nothing_is_an_error_that_names_some_files(self):
        get = self.ends(self.get(self.sharing.link, '-o', 'some', '--files', '*.png'), 2)
        sentence = self.assert_one_sentence(get)
        self.assertIn('*.png', sentence)
        self.assertIn('5.txt', sentence)
        self.assertFalse(os.path.exists(self.at('some')))
        self.assertFalse(os.path.exists(self.at('some.part')))

    def test_what_was_left_out_comes_later(self):
        self.got(self.sharing.link, '-o', 'some', '--files', '*.jpg')
        self.got(self.sharing.link, '-o', 'some', '--overwrite')
        self.assert_same(self.at('tree'), self.at('some'))

    def test_patterns_want_a_folder(self):
        share = self.share(self.make('data', b'x'), '-q')
        self.assertIn('--files', self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'copy', '--files', 'x'), 2)))


class Interrupted(Folders):
    def setUp(self):
        super().setUp()
        self.make_tree('tree', {f'{i % 7}/{i}': random_bytes(40_000 + i, i) for i in range(100)} | {'big': random_bytes(6 * MIB)})

    def go_on(self, link, number):
        get = self.get(link, '-o', 'copy', '--progress', 'json', '--limit-down', '4M')
        get.until_received(3 * MIB)
        get.child.send_signal(number)
        get.wait()
        self.assertFalse(os.path.exists(self.at('copy')))
        self.assertTrue(os.path.isdir(self.at('copy.part')))
        again = self.got(link, '-o', 'copy', '--progress', 'json')
        self.assert_same(self.at('tree'), self.at('copy'))
        done = again.events()[-1]
        self.assertGreater(done['bytes_resumed'], MIB)
        self.assertLess(done['bytes_received'], 9 * MIB)

    def test_it_goes_on_after_kill_9(self):
        self.go_on(self.share(self.at('tree'), '-q').link, signal.SIGKILL)

    def test_it_goes_on_after_ctrl_c(self):
        self.go_on(self.share(self.at('tree'), '-q').link, signal.SIGINT)

    def test_what_was_damaged_meanwhile_is_fetched_again(self):
        share = self.share(self.at('tree'), '-q')
        get = self.get(share.link, '-o', 'copy', '--progress', 'json', '--limit-down', '4M')
        get.until_received(3 * MIB)
        get.stop(signal.SIGINT)
        for at, _, names in os.walk(self.at('copy.part')):
            for name in names:
                with open(os.path.join(at, name), 'r+b') as file:
                    file.write(b'damaged')
        self.got(share.link, '-o', 'copy')
        self.assert_same(self.at('tree'), self.at('copy'))

    def test_two_gets_do_not_share_a_part(self):
        share = self.share(self.at('tree'), '-q')
        first = self.get(share.link, '-o', 'copy', '--progress', 'json', '--limit-down', '2M')
        first.until_received(MIB)
        second = self.ends(self.get(share.link, '-o', 'copy'), 10)
        self.assertIn('another process', self.assert_one_sentence(second))
        self.ends(first, 0)
        self.assert_same(self.at('tree'), self.at('copy'))


class FullDisk(Folders):
    @unittest.skipUnless(ROOT, 'mounting a small disk needs root')
    def test_a_disk_that_is_too_small_is_told_before_anything_comes(self):
        os.mkdir(self.at('small'))
        mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', self.at('small')], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest('mounting is not allowed here')
        self.addCleanup(subprocess.run, ['umount', '-l', self.at('small')], check=False)
        self.make_tree('tree', {f'{i}': random_bytes(100_000, i) for i in range(40)})
        share = self.share(self.at('tree'), '-q')
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'small/'), 8))
        self.assertEqual(os.listdir(self.at('small')), [])


class Sources(Folders):
    def test_a_change_withdraws_the_folder(self):
        self.make_tree('tree', {'sub/a': b'x' * 1000, 'b': b'y'})
        share = self.share(self.at('tree'), '-q')
        write(self.at('tree', 'sub', 'a'), b'z' * 1001)
        self.assertEqual(share.wait(), 6)
        self.assertIn('changed', self.assert_one_sentence(share))

    def test_a_change_under_a_running_get_ends_it_without_a_final_name(self):
        self.make_tree('tree', {f'{i}': random_bytes(200_000, i) for i in range(50)})
        share = self.share(self.at('tree'), '-q')
        get = self.get(share.link, '-o', 'copy', '--progress', 'json', '--limit-down', '2M')
        get.until_received(MIB)
        for i in range(50):
            write(self.at('tree', str(i)), random_bytes(200_000, i + 1000))
        self.assertEqual(get.wait(), 6, str(get))
        self.assertFalse(os.path.exists(self.at('copy')))

    def test_a_copy_joins_as_a_second_source(self):
        self.make_tree('tree', {f'{i % 3}/{i}': random_bytes(50_000 + i, i) for i in range(60)})
        publisher = self.share(self.at('tree'), '-q', '--limit-up', '1M')
        shutil.copytree(self.at('tree'), self.at('other name'))  # other times, too
        os.utime(self.at('other name', '0', '0'), (1, 1))
        joined = self.share(self.at('other name'), '--join', publisher.link, '-q', '--limit-up', '1M')
        self.assertEqual(joined.link, publisher.link)
        get = self.got(publisher.link, '-o', 'copy', '-v', '--progress', 'none')
        self.assert_same(self.at('tree'), self.at('copy'))
        self.assertEqual(len([line for line in get.err if line.startswith('source') and line.endswith(' joined')]), 2, str(get))

    def test_another_folder_does_not_join(self):
        self.make_tree('tree', {'a': b'x' * 1000, 'b': b'y'})
        publisher = self.share(self.at('tree'), '-q')
        for name, files in (('names', {'a': b'x' * 1000, 'c': b'y'}), ('bytes', {'a': b'x' * 999 + b'z', 'b': b'y'}), ('more', {'a': b'x' * 1000, 'b': b'y', 'c': b''})):
            with self.subTest(name=name):
                self.make_tree(name, files)
                joined = self.ends(self.start('share', name, '--join', publisher.link, '--listen', '127.0.0.1:0', '--state', self.state), 6)
                self.assertIn('not the content of the link', self.assert_one_sentence(joined))

    def test_a_folder_comes_from_a_publisher_and_from_one_that_is_still_getting_it(self):
        self.make_tree('tree', {f'{i % 5}/{i}': random_bytes(100_000 + i, i) for i in range(120)})
        publisher = self.share(self.at('tree'), '--limit-up', '4M')
        first = self.get(publisher.link, '-o', 'first', '--progress', 'json', '--seed-after', 'forever')
        first.until_received(2 * MIB)
        second = self.get(publisher.link, '-o', 'second', '-v', '--progress', 'none')
        self.ends(second, 0)
        first.until(lambda: any(event['event'] == 'complete' for event in first.events()), 'completion')
        self.assertEqual(first.stop(signal.SIGINT), 0, str(first))  # while it seeds that is no failure
        for copy in ('first', 'second'):
            self.assert_same(self.at('tree'), self.at(copy))
        sources = [line for line in second.err if line.startswith('source') and 'joined' in line]
        self.assertGreaterEqual(len(sources), 2, str(second))

    def test_a_selection_that_is_served_announces_only_whole_chunks(self):
        self.make_tree('tree', {f'{i}.{"txt" if i % 2 else "jpg"}': random_bytes(100_000, i) for i in range(40)})
        publisher = self.share(self.at('tree'), '-q')
        some = self.get(publisher.link, '-o', 'some', '--files', '*.jpg', '--seed-after', 'forever', '--progress', 'json')
        some.until(lambda: any(event['event'] == 'complete' for event in some.events()), 'completion')
        self.got(publisher.link, '-o', 'all')
        self.assert_same(self.at('tree'), self.at('all'))
        self.assertEqual(some.stop(signal.SIGINT), 0)

    def test_once_ends_after_a_complete_receiver(self):
        self.make_tree('tree', {'a': b'x' * 1000, 'b/c': b'y'})
        share = self.share(self.at('tree'), '--once')
        self.got(share.link, '-o', 'copy')
        self.ends(share, 0)


if __name__ == '__main__':
    unittest.main()
