// A download in the middle of its work, and sources that have everything.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "swarm/download.hpp"

namespace peernet::swarm::test {

inline constexpr std::uint32_t kChunk = 1 << 20;

inline Instant at(Duration d) {
  return Instant::from_ns(d.count());
}

inline DownloadOptions options() {
  DownloadOptions o;
  o.assemblies = 8;
  o.number = 5;
  return o;
}

inline Download running(std::uint32_t chunks, std::uint32_t last = kChunk) {
  Download d(options());
  d.begin_chunks({.count = chunks, .bytes = kChunk, .last_bytes = last, .assemblies = 8});
  d.set_verifiable(ChunkIndex(0), chunks);
  return d;
}

inline SourceIndex full_source(Download& d, Instant now) {
  const SourceIndex s = *d.add_source(now);
  d.on_have_all(s);
  d.set_round_trip(s, 1ms);
  return s;
}

/// Delivers all of a request; the assembly that became whole, if one did.
inline std::optional<AssemblyIndex> deliver(Download& d, Instant now, const RequestPlan& plan) {
  EXPECT_TRUE(d.target(plan.source, plan.id, plan.offset, plan.length));
  return d.on_data(now, plan.source, plan.id, plan.offset, plan.length);
}

}  // namespace peernet::swarm::test
