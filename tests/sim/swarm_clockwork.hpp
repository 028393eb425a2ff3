// What all parts of a simulated swarm share: virtual time and what happens in it, the fingerprint, the judge.
#pragma once

#include <cstdio>
#include <functional>
#include <string>

#include "base/rng.hpp"
#include "sim/datagram.hpp"
#include "sim/event_queue.hpp"
#include "sim/judge.hpp"
#include "sim/trace.hpp"

namespace peernet::sim {

/// Something that happens. Datagrams are by far the most of it and carry no closure.
struct Happening {
  enum class Kind : std::uint8_t { kCall, kAtCore, kAtHost, kTurn } kind = Kind::kCall;
  std::uint32_t node = 0;
  std::uint64_t number = 0;  ///< kTurn: which wake-up; an older one is no longer meant
  Datagram datagram;
  std::function<void()> call;
};

class Clockwork {
 public:
  explicit Clockwork(bool be_verbose) : verbose(be_verbose) {}

  Instant now() const { return now_; }
  void at(Instant when, std::function<void()> call) {
    Happening happening;
    happening.call = std::move(call);
    queue_.push(std::max(when, now_), std::move(happening));
  }
  void after(Duration delay, std::function<void()> call) { at(now_ + delay, std::move(call)); }
  void push(Instant when, Happening happening) { queue_.push(std::max(when, now_), std::move(happening)); }
  Instant next_at() const { return queue_.next_at(); }
  Happening next() {
    auto [when, happening] = queue_.pop();
    now_ = when;
    ++happened;
    return std::move(happening);
  }
  /// For people who look at one seed.
  void say(std::uint32_t node, const std::string& text) const {
    if (verbose) std::printf("%10.6f node %u: %s\n", static_cast<double>(now_.ns()) * 1e-9, node, text.c_str());
  }
  void fail(std::uint32_t node, const std::string& what) {
    say(node, "VIOLATION " + what);
    judge.fail("node " + std::to_string(node) + " at " + std::to_string(static_cast<double>(now_.ns()) * 1e-9) +
               " s: " + what);
  }

  Trace trace;
  Judge judge;
  bool verbose;
  std::uint64_t happened = 0;

 private:
  EventQueue<Happening> queue_;
  Instant now_;
};

inline Duration drawn(Rng& rng, Duration least, Duration most) {
  return least + Duration(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>((most - least).count()) + 1)));
}

}  // namespace peernet::sim
