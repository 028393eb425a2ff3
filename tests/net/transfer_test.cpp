// Whole transfers through the door (include/peernet) over loopback with the real kernel, by both engines.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "peernet/node.hpp"

namespace peernet {
namespace {

namespace stdfs = std::filesystem;
using namespace std::chrono_literals;

// A folder that goes away with its test.
class Folder {
 public:
  Folder() {
    std::string pattern = (stdfs::temp_directory_path() / "peernet-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { stdfs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  stdfs::path path_;
};

std::string random_bytes(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out(n, '\0');
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<char>(random());
  return out;
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The next event of a kind; the test fails if the transfer ends without it or nothing happens for a long time.
std::optional<Event> wait_for(Transfer& transfer, EventKind kind) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < deadline) {
    auto event = transfer.wait_event(1000ms);
    if (!event) continue;
    if (event->kind == kind) return event;
    if (event->kind == EventKind::kError || event->kind == EventKind::kDone) {
      ADD_FAILURE() << "ended early: " << event->text;
      return std::nullopt;
    }
  }
  ADD_FAILURE() << "nothing happened";
  return std::nullopt;
}

struct Case {
  IoEngine io;
  unsigned shards;
  std::uint32_t max_datagram;
};

class TransferTest : public testing::TestWithParam<Case> {
 protected:
  NodeConfig config() const {
    NodeConfig c;
    c.listen = "127.0.0.1:0";
    c.io = GetParam().io;
    c.shards = GetParam().shards;
    c.max_datagram = GetParam().max_datagram;
    c.state_dir = folder_ / "state";
    return c;
  }

  std::unique_ptr<Node> start() {
    auto node = Node::start(config());
    if (!node) ADD_FAILURE() << describe(node.error());
    return node ? std::move(*node) : nullptr;
  }

  // Shares bytes under a name and gets them on another node.
  void round_trip(const std::string& bytes) {
    const auto source = start();
    const auto receiver = start();
    const std::string name = "data" + std::to_string(bytes.size());
    write_file(folder_ / name, bytes);
    auto share = source->share({.path = folder_ / name});
    ASSERT_TRUE(share) << describe(share.error());
    const auto link = wait_for(*share, EventKind::kLink);
    ASSERT_TRUE(link);
    auto get = receiver->get({.link = link->text, .output = folder_ / (name + ".out")});
    ASSERT_TRUE(get) << describe(get.error());
    const auto done = wait_for(*get, EventKind::kDone);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->bytes, bytes.size());
    EXPECT_TRUE(read_file(folder_ / (name + ".out")) == bytes);
    EXPECT_FALSE(stdfs::exists(folder_ / (name + ".out.part")));
  }

  Folder folder_;
};

TEST_P(TransferTest, AnEmptyFileArrives) {
  round_trip("");
}
TEST_P(TransferTest, OneByteArrives) {
  round_trip("x");
}
TEST_P(TransferTest, SizesAroundBordersArrive) {
  for (const std::size_t n : {4096u, 16383u, 16385u, 63008u, (1u << 20) - 1, (1u << 20) + 1})
    round_trip(random_bytes(n, n));
}
TEST_P(TransferTest, ManyChunksArrive) {
  round_trip(random_bytes((24u << 20) + 12345, 7));
}

INSTANTIATE_TEST_SUITE_P(Engines, TransferTest,
                         testing::Values(Case{IoEngine::kEpoll, 1, 1500}, Case{IoEngine::kUring, 1, 1500},
                                         Case{IoEngine::kEpoll, 2, 0}, Case{IoEngine::kUring, 3, 0}));

}  // namespace
}  // namespace peernet
