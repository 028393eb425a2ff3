// What the node itself costs: pieces read for serving, and whole gets from another node of this process over loopback,
// whose difference between many and few bytes is the price of a byte with everything in it.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "io/driver_factory.hpp"
#include "io/probe.hpp"
#include "io/socket_group.hpp"
#include "node/content_bytes.hpp"
#include "node/shared_content.hpp"
#include "peernet/node.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::node {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kChunk = content::kDefaultChunkBytes;
constexpr std::uint32_t kTrain = 44 * 1432;  // what one train carries at 1500-byte packets
constexpr std::size_t kInFlight = 8;

class Reads final : public io::Sink {
 public:
  void on_datagrams(Instant, std::span<io::Received>) override {}
  void on_sent(io::OpToken, std::int32_t) override {}
  void on_file(io::OpToken, io::FileOp, std::int64_t result) override {
    PN_CHECK(result == std::int64_t{kTrain});
    ++done;
    --in_flight;
  }
  void on_wake() override {}
  std::int64_t done = 0;
  std::size_t in_flight = 0;
};

/// A folder on tmpfs that goes away; empty path: there is no room for one.
class Folder {
 public:
  Folder() {
    std::string pattern = "/dev/shm/peernet-bench-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    if (valid()) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  bool valid() const { return !path_.empty(); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

storage::Fd make_file(const std::string& path, std::uint64_t bytes) {
  storage::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  PN_CHECK(fd.valid());
  std::vector<std::byte> chunk(kChunk);
  for (std::uint64_t at = 0; at < bytes; at += chunk.size()) {
    // Every chunk another one: zeros and equal chunks might be known without sending them.
    for (std::size_t i = 0; i < chunk.size(); ++i)
      chunk[i] = static_cast<std::byte>(i * 31 + (i >> 8) + (at >> 20) * 7 + 1);
    const std::size_t length = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), bytes - at));
    PN_CHECK(storage::pwrite_full(fd.get(), ByteSpan(chunk).first(length), at) == static_cast<std::int64_t>(length));
  }
  return fd;
}

// The bytes of one train after the other out of the page cache, eight reads in flight.
void read_pieces(benchmark::State& state) {
  const Folder folder;
  if (!folder.valid()) {
    state.SkipWithError("/dev/shm takes no file");
    return;
  }
  const io::Capabilities capabilities = io::probe_capabilities();
  io::SocketGroupOptions group_options;
  group_options.listen = Address::v4(127, 0, 0, 1, 0);
  auto group = io::SocketGroup::open(group_options, capabilities);
  PN_CHECK(group.has_value());
  io::DriverOptions options;
  options.engine = state.range(0) != 0 ? io::Engine::kUring : io::Engine::kEpoll;
  auto driver = io::make_driver(options, capabilities, group->shard(0));
  if (!driver) {
    state.SkipWithError("this kernel refuses the engine");
    return;
  }
  constexpr std::uint32_t kChunks = 16;
  constexpr std::uint32_t kPerChunk = kChunk / kTrain;
  const storage::Fd file = make_file(folder / "file", std::uint64_t{kChunks} * kChunk);
  std::vector<std::byte> blocks(kInFlight * kTrain);
  Reads reads;
  {
    const auto reader = make_file_reader(**driver, file.get(), kChunk);
    PN_CHECK(reader.has_value());
    std::uint32_t next = 0;
    for (auto _ : state) {
      while (reads.in_flight < kInFlight) {
        const auto block = MutableByteSpan(blocks).subspan((next % kInFlight) * kTrain, kTrain);
        if (!(*reader)->read(io::OpToken(next), ChunkIndex(next / kPerChunk % kChunks), next % kPerChunk * kTrain,
                             block))
          break;
        ++next;
        ++reads.in_flight;
      }
      (*driver)->turn((*driver)->now() + 1s, reads);
    }
    while (reads.in_flight > 0) (*driver)->turn((*driver)->now() + 1s, reads);
  }
  state.SetBytesProcessed(reads.done * kTrain);
  state.SetItemsProcessed(reads.done);
}
BENCHMARK(read_pieces)->ArgName("uring")->Arg(1)->Arg(0)->MeasureProcessCPUTime();

// What each request asks of a content: is the chunk there, and how long is it? Of a share and of a get that goes on.
void judge_request(benchmark::State& state) {
  constexpr std::uint32_t kChunks = 4096;
  content::ManifestCore core;
  core.total_bytes = core.payload_bytes = std::uint64_t{kChunks} * kChunk;
  core.chunk_count = kChunks;
  swarm::HaveLog log(kChunks);
  for (std::uint32_t c = 0; c < kChunks; c += 2) log.add(ChunkIndex(c));
  SharedContent content;
  content.manifest.core = &core;
  if (state.range(0) != 0) content.have = &log;
  std::uint32_t chunk = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(content.has(ChunkIndex(chunk)));
    benchmark::DoNotOptimize(content.manifest.chunk_length(ChunkIndex(chunk)));
    chunk = (chunk + 1) % kChunks;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(judge_request)->ArgName("get")->Arg(0)->Arg(1);

/// The first event of the kind; nothing if the transfer ends before.
std::optional<Event> wait_for(Transfer& transfer, EventKind kind) {
  while (true) {
    auto event = transfer.wait_event(10s);
    if (!event || event->kind == kind) return event;
    if (event->kind == EventKind::kError || event->kind == EventKind::kDone) return std::nullopt;
  }
}

// A get of so many bytes, from the call to its end, between two nodes of this process that stay; to tmpfs, 1500-byte
// packets, sealed and verified. CPU is that of both sides.
void get_from_node(benchmark::State& state) {
  const Folder folder;
  if (!folder.valid()) {
    state.SkipWithError("/dev/shm takes no file");
    return;
  }
  const auto bytes = static_cast<std::uint64_t>(state.range(0));
  make_file(folder / "file", bytes);
  NodeConfig config;
  config.listen = "127.0.0.1:0";
  config.max_datagram = 1500;
  config.shards = 1;
  config.state_dir = folder / "state";
  auto source = Node::start(config);
  auto receiver = Node::start(config);
  if (!source || !receiver) {
    state.SkipWithError("no node starts here");
    return;
  }
  ShareOptions share;
  share.path = folder / "file";
  auto shared = (*source)->share(share);
  const auto link = shared ? wait_for(*shared, EventKind::kLink) : std::nullopt;
  if (!link) {
    state.SkipWithError("the file cannot be shared");
    return;
  }
  GetOptions get;
  get.link = link->text;
  get.output = folder / "copy";
  get.overwrite = true;
  get.sync = SyncMode::kNone;
  for (auto _ : state) {
    auto got = (*receiver)->get(get);
    if (!got || !wait_for(*got, EventKind::kDone)) {
      state.SkipWithError("the get has failed");
      return;
    }
    state.PauseTiming();
    std::filesystem::remove(folder / "copy");  // what is there already need not be sent again
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(get_from_node)
    ->ArgName("bytes")
    ->Arg(1 << 10)
    ->Arg(64 << 20)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peernet::node

BENCHMARK_MAIN();
