#include "cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

constexpr std::size_t kShortestName = 8;

// Rounded down: 100% means all of it.
std::string percent(const Progress& p) {
  if (p.bytes_total == 0) return p.phase == Phase::kFinishing ? "100%" : "0%";
  const double part = static_cast<double>(p.bytes_done) / static_cast<double>(p.bytes_total);
  return fmt::format("{}%", p.bytes_done >= p.bytes_total ? 100 : static_cast<int>(std::min(part * 100, 99.0)));
}

std::string amounts(const Progress& p, double rate) {
  std::string out = fmt::format("{} {}", percent(p), format_part(std::min(p.bytes_done, p.bytes_total), p.bytes_total));
  if (rate <= 0) return out;
  out += " " + format_rate(rate);
  if (p.bytes_done < p.bytes_total)
    out += " ETA " + format_duration(static_cast<double>(p.bytes_total - p.bytes_done) / rate);
  return out;
}

std::string details(const Progress& p, double rate, bool sharing) {
  switch (p.phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kHashing:
      return "hashing " + amounts(p, rate);
    case Phase::kConnecting:
      return "connecting";
    case Phase::kChecking:
      return fmt::format("asking for its description, sources {}", p.sources);
    case Phase::kRunning:
      break;
    case Phase::kFinishing:
      return fmt::format("{} {} writing to disk", percent(p), format_bytes(p.bytes_total));
    case Phase::kSeeding:
      return fmt::format("complete, serving it: receivers {}, sent {}", p.receivers, format_bytes(p.bytes_sent));
    case Phase::kDone:
      return "done";
    case Phase::kFailed:
      return "failed";
  }
  if (!sharing) {
    std::string get = fmt::format("{} sources {}", amounts(p, rate), p.sources);
    if (p.receivers > 0 || p.bytes_sent > 0)
      get += fmt::format(" receivers {} sent {}", p.receivers, format_bytes(p.bytes_sent));
    return get;
  }
  std::string out =
      fmt::format("receivers {} completed {} sent {}", p.receivers, p.completed, format_bytes(p.bytes_sent));
  if (rate > 0) out += " " + format_rate(rate);
  return out;
}

}  // namespace

void RateMeter::add(double seconds, std::uint64_t bytes) {
  if (count_ > 0 && bytes < sample(count_ - 1).bytes) count_ = 0;
  // One sample may be older than the window, or a slow caller would never have two.
  while (count_ == kSamples || (count_ > 1 && seconds - sample(1).seconds >= kWindowSeconds)) {
    first_ = (first_ + 1) % kSamples;
    --count_;
  }
  samples_[(first_ + count_) % kSamples] = {seconds, bytes};
  ++count_;
}

double RateMeter::rate() const {
  if (count_ < 2) return 0;
  const Sample& oldest = sample(0);
  const Sample& newest = sample(count_ - 1);
  if (newest.seconds <= oldest.seconds) return 0;
  return static_cast<double>(newest.bytes - oldest.bytes) / (newest.seconds - oldest.seconds);
}

std::uint64_t moved_bytes(const Progress& progress, bool sharing) {
  if (sharing && progress.phase == Phase::kRunning) return progress.bytes_sent;
  return progress.bytes_done - std::min(progress.bytes_done, progress.bytes_resumed);
}

std::string progress_line(const Progress& progress, double rate, bool sharing, std::size_t columns) {
  const std::string text = details(progress, rate, sharing);
  const std::string name = printable(progress.name);
  const std::size_t taken = display_width(text) + 1;
  const std::size_t room = columns > taken ? columns - taken : 0;
  if (name.empty() || room < std::min(kShortestName, display_width(name))) return shortened(text, columns);
  return shortened(name, room) + " " + text;
}

}  // namespace peernet::cli
