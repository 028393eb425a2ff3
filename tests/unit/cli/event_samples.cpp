// Prints an event of each kind, with nothing in it and with a lot, one JSON object a line.
#include <array>
#include <cstdio>
#include <limits>

#include "cli/json_events.hpp"

namespace {

using namespace peernet;

constexpr std::array kKinds{EventKind::kStart,  EventKind::kSource,   EventKind::kChunkBad, EventKind::kRetry,
                            EventKind::kVerify, EventKind::kReceiver, EventKind::kDone,     EventKind::kLink,
                            EventKind::kNotice, EventKind::kTracker,  EventKind::kComplete};
constexpr std::array kPhases{Phase::kStarting,  Phase::kHashing, Phase::kConnecting, Phase::kChecking, Phase::kRunning,
                             Phase::kFinishing, Phase::kDone,    Phase::kFailed,     Phase::kSeeding};

void print(const Event& sample, const Progress& progress) {
  for (const EventKind kind : kKinds) {
    Event event = sample;
    event.kind = kind;
    if (const auto line = cli::json_event(event, progress)) std::puts(line->c_str());
  }
  for (const Phase phase : kPhases) {
    Progress p = progress;
    p.phase = phase;
    std::puts(cli::json_progress(p, 0).c_str());
    std::puts(cli::json_progress(p, 1e9 / 3).c_str());
  }
}

}  // namespace

int main() {
  print({}, {});
  Event event;
  event.text = "na\"me\n\xff\x1b";
  event.peer = "[::1]:4433";
  event.number = std::numeric_limits<std::uint64_t>::max();
  event.bytes = std::numeric_limits<std::uint64_t>::max();
  event.seconds = 1.0 / 3;
  Progress progress;
  progress.name = event.text;
  progress.by_source = {{event.peer, event.bytes}, {event.text, 0}};
  progress.bytes_total = std::numeric_limits<std::uint64_t>::max();
  progress.bytes_done = 1;
  progress.sources = 64;
  print(event, progress);
  for (int code = 1; code <= 12; ++code)
    std::puts(cli::json_error(static_cast<ErrorCode>(code), code, "what went wrong").c_str());
  std::puts(cli::json_error(ErrorCode::kInterrupted, 130, "interrupted").c_str());
}
