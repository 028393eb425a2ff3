// A set between a hostile tracker and a hostile clock: bytes drive what the tracker sends (made up, or a true reply to
// something that was asked, whole, cut or changed), time, and the node's calls. It neither loops nor grows, says
// nothing longer than a request may be, and its deadline never stands still.
#include <sanitizer/allocator_interface.h>

#include <array>
#include <deque>
#include <vector>

#include "discovery/tracker_client.hpp"
#include "discovery/tracker_set.hpp"
#include "fuzz.hpp"

namespace {

using namespace peernet;
using namespace peernet::discovery;

constexpr std::size_t kMaxInput = 4096;
constexpr std::size_t kMaxHeapGrowth = 32 << 20;
constexpr int kMaxTurnsAtOnce = 8;

Address tracker_address(unsigned i) {
  return Address::v4(10, 0, 0, static_cast<std::uint8_t>(1 + i % 3), 7000);
}

class World {
 public:
  explicit World(fuzz::Input input) : input_(std::move(input)), set_({.seed = 3, .port = 9000}) {}

  void run() {
    while (!input_.ended()) {
      act(input_.u8());
      drain();
    }
  }

 private:
  void act(unsigned choice) {
    switch (choice % 10) {
      case 0:
        return add();
      case 1:
        return set_.remove(now_, key());
      case 2:
        return set_.want_peers(now_, key());
      case 3:
        return set_.query(now_, key());
      case 4:
        return set_.update(now_, key(), {.flags = input_.u8(), .chunks = input_.u8()});
      case 5:
        return pass(Duration(std::int64_t{input_.u32()} * 1000));
      case 6:
        return pass(Duration(std::int64_t{input_.u32()} * 100'000));
      case 7: {
        const ByteSpan made_up = input_.up_to(input_.u8());
        receive(input_.u8(), std::vector<std::byte>(made_up.begin(), made_up.end()));
        return;
      }
      default:
        return reply(choice / 10);
    }
  }

  void add() {
    ContentOptions options;
    options.swarm[0] = std::byte{input_.u8()};
    options.state.flags = input_.u8();
    options.numwant = input_.u8();
    options.announced = (input_.u8() & 3) != 0;
    const unsigned count = input_.u8() % 4;
    for (unsigned i = 0; i < count; ++i)
      options.trackers.push_back({std::to_string(i), {tracker_address(i), tracker_address(i + 1)}});
    keys_.push_back(set_.add(now_, options));
  }

  ContentKey key() { return keys_.empty() ? ContentKey(1) : keys_[input_.u8() % keys_.size()]; }

  /// What a tracker would answer, with fields of the fuzzer's.
  void reply(unsigned how) {
    if (asked_.empty()) return;
    const auto [header, to] = asked_[input_.u8() % asked_.size()];
    std::vector<std::byte> out(wire::kMaxTrackerReply);
    std::size_t size = 0;
    const std::uint32_t epoch = input_.u8() & 1;
    const std::uint32_t beat_ms = input_.u16();
    const std::uint64_t id = input_.u8();
    switch (how % 7) {
      case 0:
        size = wire::encode(out, wire::ConnectReply{header.transaction, id, (id & 7) != 0, epoch, beat_ms, {}});
        break;
      case 1:
      case 2: {
        wire::NodeAnnounceReply announced{header.transaction, epoch, beat_ms, id, {}, 1, 2, 3, {}};
        announced.peers.push_back({.address = tracker_address(0)});
        size = wire::encode(out, announced);
        break;
      }
      case 3:
        size = wire::encode(out, wire::HeartbeatReply{header.transaction, epoch, beat_ms, id, input_.u32()});
        break;
      case 4:
        size = wire::encode(out,
                            wire::QueryReply{.transaction = header.transaction, .epoch = epoch, .cursor = input_.u8()});
        break;
      case 5:
        size = wire::encode(out, wire::Goodbye{epoch, id});
        break;
      default:
        size = wire::encode_error(out, header.transaction, (id & 1) != 0 ? "bad connection id" : "no", out.size());
        break;
    }
    if ((how & 16) != 0) size = std::min<std::size_t>(size, input_.u8());
    out.resize(size);
    if ((how & 8) != 0 && size > 8) out[8 + input_.u8() % (size - 8)] ^= std::byte{input_.u8()};
    out.shrink_to_fit();  // ASan sees a read of one byte past it
    set_.on_datagram(now_, to, out);
  }

  void receive(unsigned from, const std::vector<std::byte>& datagram) {
    set_.on_datagram(now_, tracker_address(from), datagram);
  }

  void pass(Duration time) {
    const Instant end = now_ + time;
    int at_once = 0;
    for (int steps = 0; steps < 1000; ++steps) {
      const Instant next = set_.next_deadline();
      if (next > end) break;
      at_once = next <= now_ ? at_once + 1 : 0;
      PN_CHECK(at_once <= kMaxTurnsAtOnce);
      now_ = std::max(now_, next);
      set_.on_timeout(now_);
      drain();
    }
    now_ = end;
    set_.on_timeout(now_);
  }

  void drain() {
    std::array<std::byte, wire::kMaxTrackerRequest> out;
    int count = 0;
    while (const auto transmit = set_.poll_transmit(now_, out)) {
      PN_CHECK(++count < 4096);
      PN_CHECK(transmit->size <= wire::kHeartbeatTarget);
      const auto header = wire::decode_tracker_header(ByteSpan(out).first(transmit->size));
      PN_CHECK(header && header->transaction != 0);
      asked_.emplace_back(*header, transmit->to);
      if (asked_.size() > 64) asked_.pop_front();
    }
    if ((input_.u8() & 1) == 0) return;  // a node that is slow to pick up
    while (set_.poll_event()) {
    }
  }

  fuzz::Input input_;
  TrackerSet set_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::vector<ContentKey> keys_;
  std::deque<std::pair<wire::TrackerHeader, Address>> asked_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kMaxInput) return 0;
  const std::size_t before = __sanitizer_get_current_allocated_bytes();
  World world{fuzz::Input(data, size)};
  world.run();
  PN_CHECK(__sanitizer_get_current_allocated_bytes() < before + kMaxHeapGrowth);
  return 0;
}
