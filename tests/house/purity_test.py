"""The pure rooms call nothing but what the allow list holds, and planted calls of each kind are found."""

import glob
import os
import subprocess
import tempfile
import unittest

import purity

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD_ROOT = os.environ['PEERNET_BUILD_ROOT']


class Purity(unittest.TestCase):
    pass


def holds(room):
    def test(self):
        written = glob.glob(os.path.join(ROOT, 'src', room, '**', '*.cpp'), recursive=True)
        found = purity.objects(BUILD_ROOT, room)
        self.assertTrue(found or not written, f'src/{room} has .cpp files, but no object of it was looked at')
        wrong = purity.violations(BUILD_ROOT, room)
        if wrong:
            self.fail('\n'.join(wrong))
    return test


for ROOM in purity.ROOMS:
    setattr(Purity, f'test_{ROOM}_calls_nothing_impure', holds(ROOM))


class Planted(unittest.TestCase):
    def found(self, room, source, name='planted.cpp', library=''):
        """What the check reports about a static library with this one source."""
        with tempfile.TemporaryDirectory() as root:
            folder = os.path.join(root, 'src', room)
            os.makedirs(folder)
            path = os.path.join(folder, name)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(source)
            subprocess.run(['g++-12', '-std=c++23', '-O1', '-w', '-c', path, '-o', path + '.o'], check=True, cwd=folder)
            subprocess.run(['ar', 'rcsT', os.path.join(folder, f'libpeernet_{room}{library}.a'), path + '.o'], check=True, cwd=folder)
            return purity.violations(root, room)

    def test_calls_into_the_kernel_are_found(self):
        for name in ('clock_gettime', 'gettimeofday', 'time', 'socket', 'open', 'read', 'write', 'getrandom', 'getenv', 'usleep',
                     'pthread_mutex_lock', 'syscall', 'printf', 'io_uring_enter'):
            with self.subTest(name=name):
                found = self.found('transport', f'extern "C" int {name}(...);\nint f() {{ return {name}(0); }}\n')
                self.assertEqual(found, [f'libpeernet_transport.a:planted.cpp.o: {name}'])

    def test_the_standard_librarys_way_there_is_found(self):
        for include, code in (('chrono', 'std::chrono::steady_clock::now()'), ('chrono', 'std::chrono::system_clock::now()'),
                              ('random', 'std::random_device{}()'), ('thread', 'std::this_thread::get_id()'),
                              ('filesystem', 'std::filesystem::exists("/")'), ('iostream', '(std::cerr << 1)'),
                              ('fstream', 'std::ifstream("/etc/passwd")'), ('mutex', '([]{ std::mutex m; m.lock(); return 0; }())')):
            with self.subTest(code=code):
                source = f'#include <{include}>\nbool f() {{ auto&& it = {code}; return reinterpret_cast<const char*>(&it)[0] == 1; }}\n'
                if 'get_id' in code:
                    source = '#include <thread>\nvoid f(void (*g)()) { std::thread(g).detach(); }\n'
                self.assertTrue(self.found('wire', source))

    def test_other_rooms_are_found(self):
        for room, symbol in (('transport', 'io'), ('swarm', 'storage'), ('wire', 'crypto'), ('content', 'node')):
            with self.subTest(symbol=symbol):
                self.assertTrue(self.found(room, f'namespace peernet::{symbol} {{ int g(); }}\nint f() {{ return peernet::{symbol}::g(); }}\n'))
        self.assertTrue(self.found('wire', 'namespace peernet { void log(int); }\nvoid f() { peernet::log(1); }\n'))

    def test_openssl_is_cryptos_and_its_randomness_is_the_handshakes(self):
        source = 'extern "C" int {0}(...);\nint f() {{ return {0}(0); }}\n'
        self.assertTrue(self.found('transport', source.format('EVP_DigestInit_ex')))
        self.assertFalse(self.found('crypto', source.format('EVP_DigestInit_ex')))
        for name in ('RAND_bytes', 'SSL_new'):
            self.assertTrue(self.found('crypto', source.format(name)))
            self.assertFalse(self.found('crypto', source.format(name), 'handshake.cpp'))
        for name in ('EVP_PKEY_keygen', 'X509_gmtime_adj', 'BIO_new_socket', 'BIO_new_file'):
            with self.subTest(name=name):
                self.assertTrue(self.found('crypto', source.format(name)))

    def test_ordinary_code_is_not_reported(self):
        source = '''
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>
struct Base { virtual ~Base() = default; virtual int f() { return 1; } };
struct Derived : Base { int f() override { return 2; } };
namespace peernet { [[noreturn]] void check_failed(const char*, const char*, int); }
namespace peernet::wire { int g(); }
int f(std::map<int, std::string>& m, std::unordered_map<std::string, std::vector<int>>& u, double d) {
  static const std::string s = std::to_string(d);
  m[1] += s;
  u[s].push_back(peernet::wire::g());
  if (u.at(s).size() > 7) peernet::check_failed("", "", 1);
  return std::make_shared<Derived>()->f() + static_cast<int>(std::cbrt(d)) + m.find(1)->second.compare("x");
}
'''
        self.assertEqual(self.found('transport', source), [])

    def test_only_storages_posix_library_is_exempt(self):
        source = 'extern "C" int open(...);\nint f() { return open(0); }\n'
        self.assertTrue(self.found('storage', source))
        self.assertFalse(self.found('storage', source, library='_posix'))
        self.assertTrue(self.found('swarm', source, library='_posix'))
        self.assertTrue(self.found('tracker', source, 'tracker_core.cpp'))


if __name__ == '__main__':
    unittest.main()
