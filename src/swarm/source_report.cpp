#include "swarm/source_report.hpp"

#include <cinttypes>
#include <cstdio>

namespace peernet::swarm {

const char* to_string(SourceUse use) {
  switch (use) {
    case SourceUse::kNothingAsked:
      return "never had a missing chunk";
    case SourceUse::kFullRate:
      return "used at its full rate";
    case SourceUse::kFar:
      return "far: nearer sources sufficed";
    case SourceUse::kSlow:
      return "slow: others were quicker";
    case SourceUse::kSuspended:
      return "suspended: did not answer in time";
    case SourceUse::kSpreading:
      return "gave its chunks to others first";
    case SourceUse::kNeverAnswered:
      return "was asked and sent nothing";
    case SourceUse::kPartly:
      return "could have sent more: this host, the other sources or what it had was the limit";
  }
  return "";
}

std::string to_text(const SourceReport& report) {
  char text[256];
  const auto ms = [](Duration d) { return static_cast<double>(d.count()) * 1e-6; };
  std::snprintf(text, sizeof text,
                "%s; %" PRIu64
                " bytes at %.1f MB/s, round trip %.1f ms (least %.1f), %u requests (%u to measure it), "
                "%u refused, %u failures, suspended %u times, %" PRIu64 " bytes twice",
                to_string(report.use), report.delivered, report.rate * 1e-6, ms(report.smoothed_rtt),
                ms(report.minimum_rtt), report.requests, report.explored, report.refused, report.failures,
                report.suspensions, report.duplicates);
  return text;
}

}  // namespace peernet::swarm
