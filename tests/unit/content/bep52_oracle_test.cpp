// An independent implementation says what the SHA-256 chunk layer and root of a file are: libtorrent 2, BEP 52.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "content_samples.hpp"

namespace peernet::content {
namespace {

constexpr const char* kOracle = R"(
import sys, libtorrent as lt
path, piece = sys.argv[1], int(sys.argv[2])
fs = lt.file_storage()
lt.add_files(fs, path)
t = lt.create_torrent(fs, piece, lt.create_torrent.v2_only)
lt.set_piece_hashes(t, path.rsplit('/', 1)[0])
made = t.generate()
(entry,) = made[b'info'][b'file tree'].values()
root = entry[b''][b'pieces root']
print(root.hex(), made.get(b'piece layers', {}).get(root, b'').hex())
)";

std::string hex(ByteSpan bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", std::to_integer<unsigned>(b));
    out += two;
  }
  return out;
}

std::string run(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  char buffer[4096];
  while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe.get()) != nullptr) out += buffer;
  return out;
}

TEST(Bep52Oracle, RootAndChunkLayerAreLibtorrents) {
  if (run("/usr/bin/python3 -c 'import libtorrent; print(libtorrent.__version__)' 2>/dev/null").substr(0, 2) != "2.")
    GTEST_SKIP() << "python3-libtorrent 2.x is not installed";
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "peernet-oracle-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const fs::path directory = pattern;
  std::ofstream(directory / "oracle.py") << kOracle;
  struct Case {
    std::size_t size;
    std::uint32_t chunk;
  };
  for (const Case& c :
       {Case{1, 16384}, Case{16383, 16384}, Case{16384, 16384}, Case{16385, 16384}, Case{100'000, 16384},
        Case{600 * 16384 + 5, 16384}, Case{1, 1 << 20}, Case{50'000, 1 << 20}, Case{(1 << 20) - 1, 1 << 20},
        Case{1 << 20, 1 << 20}, Case{(1 << 20) + 1, 1 << 20}, Case{(5 << 20) + 70'000, 1 << 20}}) {
    const std::vector<std::byte> data = random_bytes(c.size, c.size + c.chunk);
    const fs::path file = directory / "file";
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
    const Sample sample = describe_bytes(data, c.chunk);
    std::string layer;
    for (std::uint32_t i = 0; i < sample.sha256.shape().pages; ++i) layer += hex(sample.sha256.page(i));
    if (sample.core.chunk_count == 1) layer.clear();  // BEP 52 has no layer for a file of one piece
    EXPECT_EQ(run("/usr/bin/python3 " + (directory / "oracle.py").string() + " " + file.string() + " " +
                  std::to_string(c.chunk)),
              hex(sample.core.sha256_root) + " " + layer + "\n")
        << c.size << " bytes, chunks of " << c.chunk;
  }
  fs::remove_all(directory);
}

}  // namespace
}  // namespace peernet::content
