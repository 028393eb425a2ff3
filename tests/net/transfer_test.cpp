// Whole transfers through the door (include/peernet) over loopback with the real kernel, by both engines.
#include "net_fixture.hpp"

namespace peernet {
namespace {

using namespace testing_net;

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

  // Shares bytes under a name and gets them on another node.
  void round_trip(const std::string& bytes) {
    const auto source = start_node(config());
    const auto receiver = start_node(config());
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
