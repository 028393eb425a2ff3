// Two drivers on loopback and what their sinks saw.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "io/driver_factory.hpp"
#include "io/probe.hpp"
#include "io/socket_group.hpp"

namespace peernet::io {

inline const Capabilities& kernel() {
  static const Capabilities probed = probe_capabilities();
  return probed;
}

class Recorder final : public Sink {
 public:
  struct Item {
    std::vector<std::byte> bytes;
    std::uint32_t segment_size = 0;
    Address from;
    std::uint8_t ecn = 0;
    SocketIndex socket;
  };
  struct FileEnd {
    FileOp op;
    std::int64_t result;
  };

  void on_datagrams(Instant, std::span<Received> batch) override {
    for (const Received& r : batch)
      items.push_back({{r.bytes.begin(), r.bytes.end()}, r.segment_size, r.from, r.ecn, r.socket});
  }
  void on_sent(OpToken token, std::int32_t result) override {
    EXPECT_TRUE(sent.emplace(token.value(), result).second) << "a send ended twice";
  }
  void on_file(OpToken token, FileOp op, std::int64_t result) override {
    EXPECT_TRUE(files.emplace(token.value(), FileEnd{op, result}).second) << "a file operation ended twice";
  }
  void on_wake() override { ++wakes; }

  std::size_t bytes() const {
    std::size_t n = 0;
    for (const Item& item : items) n += item.bytes.size();
    return n;
  }
  /// The datagrams as they were sent, super-packets taken apart.
  std::vector<std::vector<std::byte>> datagrams() const {
    std::vector<std::vector<std::byte>> out;
    for (const Item& item : items) {
      std::size_t at = 0;
      do {
        const std::size_t n = std::min<std::size_t>(item.segment_size, item.bytes.size() - at);
        out.emplace_back(item.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         item.bytes.begin() + static_cast<std::ptrdiff_t>(at + n));
        at += n;
      } while (at < item.bytes.size());
    }
    return out;
  }

  std::vector<Item> items;
  std::map<std::uint64_t, std::int32_t> sent;
  std::map<std::uint64_t, FileEnd> files;
  int wakes = 0;
};

/// A shard's sockets, a driver on them and its recorder.
struct End {
  std::unique_ptr<SocketGroup> group;
  std::unique_ptr<Driver> driver;
  Recorder seen;

  Address address() const { return group->local(); }
};

inline const Address kLoopback4 = Address::v4(127, 0, 0, 1, 0);
inline Address loopback6() {
  Address a;
  a.ip[15] = std::byte{1};
  return a;
}

inline std::unique_ptr<End> make_end(const DriverOptions& options, const Capabilities& capabilities = kernel(),
                                     const Address& listen = kLoopback4) {
  auto end = std::make_unique<End>();
  SocketGroupOptions group_options;
  group_options.listen = listen;
  auto group = SocketGroup::open(group_options, capabilities);
  if (!group) {
    ADD_FAILURE() << describe(group.error());
    return nullptr;
  }
  end->group = std::make_unique<SocketGroup>(std::move(*group));
  auto driver = make_driver(options, capabilities, end->group->shard(0));
  if (!driver) {
    ADD_FAILURE() << describe(driver.error());
    return nullptr;
  }
  end->driver = std::move(*driver);
  return end;
}

/// Turns all ends, waiting a little in each, until done() or the test has surely failed.
template <class Done>
bool turn_until(std::initializer_list<End*> ends, Done&& done) {
  constexpr int kRoundsMax = 20'000;
  for (int i = 0; i < kRoundsMax; ++i) {
    if (done()) return true;
    for (End* end : ends) end->driver->turn(end->driver->now() + 500us, end->seen);
  }
  return done();
}

/// Some turns in which nothing is expected any more.
inline void turn_some(std::initializer_list<End*> ends, int rounds = 20) {
  for (int i = 0; i < rounds; ++i)
    for (End* end : ends) end->driver->turn(end->driver->now() + 500us, end->seen);
}

/// A PN/1 DATA packet's first 8 bytes (steered to shard 0's data socket), then a pattern that names the datagram.
inline std::vector<std::byte> data_datagram(std::size_t size, std::uint32_t number) {
  std::vector<std::byte> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = std::byte(static_cast<std::uint8_t>(number * 131 + i * 7));
  if (size >= 8) {
    std::fill(out.begin(), out.begin() + 8, std::byte{0});
    out[0] = std::byte{0x53};
  }
  return out;
}

inline std::vector<std::byte> train(std::size_t segments, std::size_t segment_size, std::uint32_t first_number) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i < segments; ++i) {
    const auto one = data_datagram(segment_size, first_number + static_cast<std::uint32_t>(i));
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

/// The engines that this kernel can run, as a test's parameter.
class DriverTest : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    const char* why = GetParam() == Engine::kUring ? why_not_uring(kernel()) : nullptr;
    if (why != nullptr) GTEST_SKIP() << why;
    options.engine = GetParam();
  }
  DriverOptions options;
};

inline std::string engine_name(const testing::TestParamInfo<Engine>& info) {
  return info.param == Engine::kUring ? "uring" : "epoll";
}

}  // namespace peernet::io
