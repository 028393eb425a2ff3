"""The layering table holds, and a planted violation of each kind is found."""

import os
import tempfile
import unittest

import layering

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Layering(unittest.TestCase):
    pass


def holds(room):
    def test(self):
        found = layering.violations(ROOT, room)
        if found:
            self.fail('\n'.join(found))
    return test


for ROOM in list(layering.ROOMS) + ['include', 'tools', 'bench']:
    setattr(Layering, f'test_{ROOM}_includes_only_what_the_table_allows', holds(ROOM))


class Planted(unittest.TestCase):
    def check(self, path, line, reported=True, others=()):
        with tempfile.TemporaryDirectory() as root:
            for name, text in [(path, line), *((other, '') for other in others)]:
                full = os.path.join(root, name)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, 'w', encoding='utf-8') as file:
                    file.write('// first line\n' + text + '\n')
            found = layering.violations(root)
            self.assertEqual(len(found), 1 if reported else 0, (path, line, found))
            if reported:
                self.assertTrue(found[0].startswith(path), found)

    def test_a_lower_room_may_not_include_a_higher_one(self):
        for path, header in (('src/wire/packet.hpp', 'crypto/hash.hpp'), ('src/content/manifest.cpp', 'storage/plan.hpp'),
                             ('src/transport/session.cpp', 'io/io.hpp'), ('src/swarm/picker.hpp', 'crypto/hash.hpp'),
                             ('src/base/bytes.hpp', 'wire/spec.hpp'), ('src/io/io.hpp', 'wire/spec.hpp'),
                             ('src/node/node.cpp', 'cli/arguments.hpp'), ('src/cli/commands.cpp', 'node/node_impl.hpp'),
                             ('tools/peernet.cpp', 'node/node_impl.hpp'), ('tools/peernet.cpp', 'tracker/core.hpp'),
                             ('tools/tracker_load/worker.cpp', 'tracker/core.hpp')):
            with self.subTest(path=path):
                self.check(path, f'#include "{header}"', others=['src/' + header])
                self.check(path, f'  #  include   "{header}"  // why not', others=['src/' + header])

    def test_what_the_table_allows_is_not_reported(self):
        for path, header in (('src/content/manifest.cpp', 'crypto/hash.hpp'), ('src/transport/session.cpp', 'wire/spec.hpp'),
                             ('src/swarm/picker.hpp', 'base/types.hpp'), ('src/node/node.cpp', 'io/io.hpp'),
                             ('src/node/node.cpp', 'tracker/tracker_core.hpp'), ('tools/peernet_tracker.cpp', 'tracker/server/worker.hpp'),
                             ('src/tracker/server/worker.cpp', 'tracker/tracker_core.hpp'),
                             ('tools/tracker_load/worker.cpp', 'wire/tracker_messages.hpp')):
            with self.subTest(path=path):
                self.check(path, f'#include "{header}"', reported=False, others=['src/' + header])
        self.check('src/io/uring.cpp', '#include <liburing.h>', reported=False)
        self.check('src/wire/packet.cpp', '#include <peernet/error.hpp>', reported=False)

    def test_the_trackers_server_stays_outside(self):
        self.check('src/node/node.cpp', '#include "tracker/server/worker.hpp"', others=['src/tracker/server/worker.hpp'])
        self.check('src/tracker/tracker_core.cpp', '#include "tracker/server/admin.hpp"', others=['src/tracker/server/admin.hpp'])
        self.check('src/tracker/tracker_core.cpp', '#include "io/sockaddr.hpp"', others=['src/io/sockaddr.hpp'])
        self.check('src/tracker/tracker_core.cpp', '#include <thread>')
        self.check('src/tracker/server/worker.cpp', '#include "io/sockaddr.hpp"', reported=False, others=['src/io/sockaddr.hpp'])
        self.check('src/tracker/server/worker.cpp', '#include <thread>', reported=False)
        self.check('src/tracker/server/worker.cpp', '#include "node/shard.hpp"', others=['src/node/shard.hpp'])

    def test_libraries_stay_in_their_room(self):
        for path, header in (('src/transport/session.cpp', 'openssl/evp.h'), ('src/node/node.cpp', 'liburing.h'),
                             ('src/content/map.cpp', 'sqlite3.h'), ('src/node/node.cpp', 'nlohmann/json.hpp'),
                             ('src/storage/plan.cpp', 'xxhash.h')):
            with self.subTest(header=header):
                self.check(path, f'#include <{header}>')

    def test_pure_rooms_include_nothing_that_reaches_the_kernel(self):
        for header in ('unistd.h', 'sys/socket.h', 'random', 'thread', 'ctime', 'fstream', 'linux/random.h'):
            with self.subTest(header=header):
                self.check('src/transport/session.cpp', f'#include <{header}>')

    def test_the_door_shows_only_standard_types(self):
        self.check('include/peernet/node.hpp', '#include <netinet/in.h>')
        self.check('include/peernet/node.hpp', '#include "base/types.hpp"', others=['src/base/types.hpp'])
        self.check('src/wire/packet.hpp', '#include "peernet/node.hpp"')
        self.check('src/wire/packet.hpp', '#include "peernet/link.hpp"')
        self.check('src/content/link.cpp', '#include "peernet/link.hpp"', reported=False)

    def test_a_room_outside_the_table_and_a_missing_header_are_reported(self):
        self.check('src/misc/helpers.hpp', '')
        self.check('src/wire/packet.cpp', '#include "packet.hpp"')


if __name__ == '__main__':
    unittest.main()
