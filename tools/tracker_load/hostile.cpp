// Sends bad input by category; after each category a normal client must be served.
#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <limits>

#include "hostile_cases.hpp"
#include "jobs.hpp"
#include "packets.hpp"
#include "report.hpp"
#include "sources.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::uint32_t kBurst = 16;
constexpr std::uint16_t kProbePort = 2000;
constexpr std::uint16_t kAfterPort = 3002;
constexpr int kAfterAnnounces = 300;

struct Outcome {
  std::uint64_t sent = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t errors = 0;
  std::uint64_t served = 0;
  std::uint64_t unknown = 0;  ///< replies of no BEP 15 action
  std::uint64_t max_reply = 0;
  bool alive = false;
  std::string why;  ///< empty: passed

  double amplification() const {
    if (bytes_out == 0) return bytes_in == 0 ? 0 : std::numeric_limits<double>::infinity();
    return static_cast<double>(bytes_in) / static_cast<double>(bytes_out);
  }
};

// What a normal client sees in the swarm when all is over.
struct Aftermath {
  std::uint64_t listed = 0;
  std::uint64_t port_zero = 0;
  std::uint64_t forged = 0;
};

class Hostile {
 public:
  Hostile(const Options& options, Sources sources)
      : options_(options), sources_(std::move(sources)), rng_(options.seed) {}

  int run() {
    sender_.seed = options_.seed;
    sender_.rng = Rng(options_.seed ^ 0xbad);
    if (!sources_.connect(0, rng_, 10)) return complain("no reply from " + options_.target, kNoReply);
    sender_.connection_id = sources_.connection_id(0);
    sender_.has_other_address = sources_.addresses() > 1 && sources_.connect(1, rng_, 3);
    if (sender_.has_other_address) sender_.id_of_other_address = sources_.connection_id(1);
    Report report(options_, "hostile");
    bool good = true;
    double worst = 0;
    for (const HostileCase& test : hostile_cases(sender_)) {
      const Outcome outcome = run_case(test);
      good = good && outcome.why.empty();
      if (test.proof == Proof::kNone) worst = std::max(worst, outcome.amplification());
      show(report, test, outcome);
      if (std::string_view(test.name) == "announce_with_options" && outcome.served == 0) good = false;
    }
    const Aftermath after = look_afterwards();
    good = good && after.port_zero == 0 && after.forged == 0 && after.listed != 0;
    show(report, worst, after);
    return report.finish(good);
  }

 private:
  // A normal client must be served: connect, announce, be counted.
  bool alive() {
    std::array<std::byte, 4096> reply;
    const std::uint32_t source = sources_.count() - 1;
    while (::recv(sources_.fd(source), reply.data(), reply.size(), MSG_DONTWAIT) > 0) {
    }
    if (!sources_.connect(source, rng_, 3)) return false;
    for (int i = 0; i < 3; ++i) {
      const std::size_t got = announce(source, kProbePort, 30, reply);
      ByteReader reader(ByteSpan(reply).first(got));
      const bool is_announce = reader.u32() == static_cast<std::uint32_t>(wire::TrackerAction::kAnnounce);
      reader.u64();
      if (is_announce && reader.u32() + reader.u32() > 0 && !reader.failed()) return true;
    }
    return false;
  }

  std::size_t announce(std::uint32_t source, std::uint16_t port, std::uint32_t numwant, MutableByteSpan reply) {
    std::array<std::byte, wire::kMaxTrackerRequest> request;
    const auto transaction = static_cast<std::uint32_t>(rng_.next());
    const std::size_t size = write_announce(request, {.connection_id = sources_.connection_id(source),
                                                      .transaction = transaction,
                                                      .client = port,
                                                      .swarm = swarm_id(options_.seed, 0),
                                                      .event = wire::AnnounceEvent::kStarted,
                                                      .numwant = numwant,
                                                      .port = port});
    return ask(sources_.fd(source), ByteSpan(request).first(size), transaction, reply, 500);
  }

  // Counts what is there, waiting up to `timeout_ms` for the first datagram; false: nothing came.
  bool drain(Outcome& outcome, int timeout_ms) {
    pollfd wait{sources_.fd(0), POLLIN, 0};
    if (timeout_ms > 0) ::poll(&wait, 1, timeout_ms);
    for (bool any = false;; any = true) {
      const ssize_t got = ::recv(sources_.fd(0), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (got < 0 && errno == ECONNREFUSED) continue;
      if (got < 0) return any;
      const auto size = static_cast<std::size_t>(got);
      const std::uint32_t action = size < 8 ? ~0U : ByteReader(ByteSpan(buffer_).first(size)).u32();
      constexpr auto kError = static_cast<std::uint32_t>(wire::TrackerAction::kError);
      outcome.bytes_in += size;
      outcome.max_reply = std::max<std::uint64_t>(outcome.max_reply, size);
      ++(action == kError ? outcome.errors : action < kError ? outcome.served : outcome.unknown);
    }
  }

  Outcome run_case(const HostileCase& test) {
    Outcome outcome;
    drain(outcome, 0);  // leftovers of the category before
    outcome = {};
    const std::uint32_t total = test.count == 0 ? options_.hostile_count : test.count;
    for (std::uint32_t i = 0; i < total; ++i) {
      const std::size_t size = test.write(packet_, i);
      if (::send(sources_.fd(0), packet_.data(), size, 0) >= 0) {
        ++outcome.sent;
        outcome.bytes_out += size;
      }
      if (i % kBurst != kBurst - 1) continue;
      ::poll(nullptr, 0, 1);  // what the tracker's socket buffer cannot hold would prove nothing
      drain(outcome, 0);
    }
    const Instant end = now() + 500ms;
    while (now() < end && drain(outcome, 50)) {
    }
    outcome.alive = alive();
    judge(test, outcome);
    return outcome;
  }

  static void judge(const HostileCase& test, Outcome& o) {
    const auto fail = [&o](const std::string& why) { o.why += (o.why.empty() ? "" : "; ") + why; };
    if (!o.alive) fail("a normal client is no longer served");
    if (test.served == Served::kNever && o.served != 0) fail(fmt::format("{} were served", o.served));
    if (o.unknown != 0) fail(fmt::format("{} replies of no BEP 15 action", o.unknown));
    if (test.proof == Proof::kNone && o.bytes_in > o.bytes_out) fail("more bytes came back than were sent");
    if (test.max_reply != 0 && o.max_reply > test.max_reply) fail(fmt::format("a reply of {} bytes", o.max_reply));
  }

  Aftermath look_afterwards() {
    Aftermath after;
    std::array<std::byte, 4096> reply;
    sources_.connect(0, rng_, 3);
    const std::size_t peer = sources_.peer_size();
    for (int i = 0; i < kAfterAnnounces; ++i) {
      const std::size_t got = announce(0, kAfterPort, wire::kMaxPeersV4, reply);
      for (std::size_t at = wire::kAnnounceReplyHeader; at + peer <= got; at += peer) {
        ByteReader reader(ByteSpan(reply).subspan(at + peer - 6, 6));
        const std::uint32_t address = reader.u32();
        ++after.listed;
        if (reader.u16() == 0) ++after.port_zero;
        if (!sources_.is_v6() && address == kForgedIp) ++after.forged;
      }
    }
    return after;
  }

  void show(Report& report, const HostileCase& test, const Outcome& o) const {
    const bool first = !report.fields().contains("categories");
    report.fields()["categories"].push_back({{"name", test.name},
                                             {"pass", o.why.empty()},
                                             {"why", o.why},
                                             {"expected", test.expected},
                                             {"address_proven", test.proof == Proof::kProven},
                                             {"sent", o.sent},
                                             {"error_replies", o.errors},
                                             {"served", o.served},
                                             {"unknown_replies", o.unknown},
                                             {"bytes_to_tracker", o.bytes_out},
                                             {"bytes_from_tracker", o.bytes_in},
                                             {"max_reply", o.max_reply},
                                             {"alive_after", o.alive}});
    if (options_.json) return;
    if (first)
      fmt::print("{:30} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6}  verdict\n", "category", "sent", "errors", "served",
                 "unknown", "longest", "ampl.");
    fmt::print("{:30} {:7} {:7} {:7} {:7} {:7} {:6.2f}  {}\n", test.name, o.sent, o.errors, o.served, o.unknown,
               o.max_reply, o.amplification(), o.why.empty() ? "ok" : "FAILED: " + o.why);
    std::fflush(stdout);
  }

  void show(Report& report, double worst, const Aftermath& after) const {
    report.fields()["worst_amplification"] = worst;
    report.fields()["listed_after"] = after.listed;
    report.fields()["port_zero_listed"] = after.port_zero;
    report.fields()["forged_ip_listed"] = after.forged;
    if (!options_.json)
      fmt::print(
          "worst amplification where no address is proven: {:.2f}; afterwards {} peers listed, {} with port 0, {} "
          "forged\n",
          worst, after.listed, after.port_zero, after.forged);
  }

  const Options& options_;
  Sources sources_;
  Rng rng_;
  HostileSender sender_;
  std::vector<std::byte> packet_ = std::vector<std::byte>(65'535);
  std::vector<std::byte> buffer_ = std::vector<std::byte>(65'535);
};

}  // namespace

int run_hostile(const Options& options) {
  auto sources = Sources::open(options);
  if (!sources) return complain(sources.error(), kUsage);
  return Hostile(options, std::move(*sources)).run();
}

}  // namespace peernet::tracker_load
