// What a download tells about a source: figures, and why it was or was not used.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace peernet::swarm {

/// The reason that describes best how a source was used so far.
enum class SourceUse : std::uint8_t {
  kNothingAsked,   ///< it never had a chunk that was missing here
  kFullRate,       ///< asked for as much as it delivers
  kFar,            ///< nearer sources could deliver all that this host takes
  kSlow,           ///< its share is small because its rate is
  kSuspended,      ///< did not answer or refused: left alone for a time
  kSpreading,      ///< it gave other chunks to others first
  kNeverAnswered,  ///< was asked and has delivered nothing
  kPartly,         ///< could have sent more: this host is the limit, others were quicker, or it had only a part
};
/// "used at its full rate", "far: nearer sources sufficed", ...
const char* to_string(SourceUse use);

struct SourceReport {
  std::uint64_t delivered = 0;   ///< bytes that were new
  std::uint64_t duplicates = 0;  ///< bytes that were here already, or belonged to no live request
  double rate = 0;               ///< bytes per second, 0 until measured
  Duration smoothed_rtt{};
  Duration minimum_rtt{};
  std::uint32_t requests = 0;     ///< asked in all
  std::uint32_t explored = 0;     ///< of them only to measure it
  std::uint32_t refused = 0;      ///< rejected by it
  std::uint32_t failures = 0;     ///< stalls, wrong bytes, refusals without a good reason
  std::uint32_t suspensions = 0;  ///< how often it was left alone for a time
  SourceUse use = SourceUse::kNothingAsked;
};
/// One line for people: the reason, then the figures. Allocates: for summaries.
std::string to_text(const SourceReport& report);

}  // namespace peernet::swarm
