#include "tracker/server/figures.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>

#include "tracker/server/descriptor.hpp"

namespace peernet::tracker::server {
namespace {

const char* help_of(Event event) {
  switch (event) {
    case Event::kDatagrams:
      return "Datagrams received.";
    case Event::kReplies:
      return "Replies made.";
    case Event::kConnects:
      return "Connect requests of BEP 15.";
    case Event::kExtendedConnects:
      return "Connect requests that asked for the PeerNet extension.";
    case Event::kAnnounces:
      return "Announces of BEP 15.";
    case Event::kScrapes:
      return "Scrapes of BEP 15.";
    case Event::kNodeAnnounces:
      return "Announces of PeerNet nodes.";
    case Event::kHeartbeats:
      return "Heartbeats of PeerNet nodes.";
    case Event::kHeartbeatContents:
      return "Contents in heartbeats.";
    case Event::kQueries:
      return "Queries for who has which part.";
    case Event::kGoodbyes:
      return "Contents that nodes or clients left by saying so.";
    case Event::kExpired:
      return "Peers that fell silent.";
    case Event::kTooManyContents:
      return "Announces refused by max-contents.";
    case Event::kTooManyPeers:
      return "Announces refused by max-peers-per-content.";
    case Event::kTooManyPeersOfAddress:
      return "Announces refused by max-peers-per-address.";
    case Event::kCount:
      break;
  }
  return "";
}

class Text {
 public:
  void family(std::string_view name, const char* type, const char* help) {
    fmt::format_to(std::back_inserter(out_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  template <class T>
  void sample(std::string_view name, T value, std::string_view labels = "") {
    fmt::format_to(std::back_inserter(out_), "{}{} {}\n", name, labels, value);
  }
  template <class T>
  void one(std::string_view name, const char* type, const char* help, T value) {
    family(name, type, help);
    sample(name, value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void add_totals(Text& text, const Totals& totals) {
  text.one("peernet_tracker_contents", "gauge", "Swarms that are known.", totals.contents);
  constexpr std::string_view kPeers = "peernet_tracker_peers";
  text.family(kPeers, "gauge", "Peers that are listed, by kind.");
  text.sample(kPeers, totals.nodes, "{kind=\"node\"}");
  text.sample(kPeers, totals.legacy_v4, "{kind=\"legacy_ipv4\"}");
  text.sample(kPeers, totals.legacy_v6, "{kind=\"legacy_ipv6\"}");
}

}  // namespace

void Figures::add(const Counters& counters) {
  for (std::size_t i = 0; i < events.size(); ++i) events[i] += counters.events[i].load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < refusals.size(); ++i) refusals[i] += counters.refusals[i].load(std::memory_order_relaxed);
}

std::uint64_t resident_bytes() {
  const Descriptor file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  char text[128];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text - 1) : -1;
  if (n <= 0) return 0;
  text[n] = '\0';
  char* second = nullptr;
  std::strtoull(text, &second, 10);
  return std::strtoull(second, nullptr, 10) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string metrics_text(const Figures& figures) {
  Text text;
  for (std::size_t i = 0; i < figures.events.size(); ++i) {
    const auto event = static_cast<Event>(i);
    text.one(fmt::format("peernet_tracker_{}_total", name_of(event)), "counter", help_of(event), figures.events[i]);
  }
  constexpr std::string_view kRefusals = "peernet_tracker_refusals_total";
  text.family(kRefusals, "counter", "Requests that were not served, by reason.");
  for (std::size_t i = 0; i < figures.refusals.size(); ++i)
    text.sample(kRefusals, figures.refusals[i],
                fmt::format("{{reason=\"{}\"}}", wire::name_of(static_cast<wire::TrackerRefusal>(i))));
  text.one("peernet_tracker_dropped_replies_total", "counter", "Replies that the kernel had no room for.",
           figures.dropped_replies);
  text.one("peernet_tracker_kernel_drops_total", "counter", "Datagrams that found a full receive buffer.",
           figures.kernel_drops);
  add_totals(text, figures.totals);
  text.one("peernet_tracker_workers", "gauge", "Threads that answer.", figures.workers);
  text.one("peernet_tracker_epoch", "gauge", "Random name of this run.", figures.epoch);
  text.one("peernet_tracker_uptime_seconds", "gauge", "Time since the start.", figures.uptime_s);
  if (figures.snapshot_age_s)
    text.one("peernet_tracker_snapshot_age_seconds", "gauge", "Time since the last snapshot.", *figures.snapshot_age_s);
  text.one("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.", figures.resident_bytes);
  return text.take();
}

}  // namespace peernet::tracker::server
