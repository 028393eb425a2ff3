// Counts agree with each other. Cheap enough to be asked after every event: nothing here goes over all chunks.
#include "base/check.hpp"
#include "swarm/download.hpp"

namespace peernet::swarm {

using content::TableId;

void Download::check_invariants() const {
  std::uint64_t outstanding = 0;
  std::uint64_t cancelled = 0;
  std::uint32_t free = 0;
  std::array<std::uint64_t, kMaxSources> of_source{};
  std::array<std::uint32_t, kMaxSources> requests_of{};
  for (std::uint32_t slot = 0; slot < kMaxRequests; ++slot) {
    const Request& request = requests_[slot];
    if (request.state == RequestState::kFree) {
      ++free;
      continue;
    }
    outstanding += request.missing;
    of_source[request.source.value()] += request.missing;
    ++requests_of[request.source.value()];
    PN_CHECK(request.missing <= request.length);
    if (request.state == RequestState::kCancelled) {
      cancelled += request.missing;
      PN_CHECK(request.twin == kNoTwin);
      continue;
    }
    const Assembly& assembly = at(request.assembly);
    PN_CHECK(assembly.state == AssemblyState::kFilling && request.offset + request.length <= assembly.length);
    PN_CHECK(assembly.asked.contains({request.offset, request.offset + request.length}));
    PN_CHECK(!covered(request));  // it would have ended
    // At most two copies of a range, and those are twins of different sources.
    if (request.twin != kNoTwin) {
      const Request& twin = requests_[request.twin];
      PN_CHECK(twin.state == RequestState::kLive && twin.twin == slot && twin.assembly == request.assembly);
      PN_CHECK(twin.source != request.source);
    }
    for (std::uint32_t i = slot + 1; i < kMaxRequests && assembly.live_requests > 1; ++i) {
      const Request& other = requests_[i];
      if (other.state != RequestState::kLive || other.assembly != request.assembly || i == request.twin) continue;
      PN_CHECK(other.offset + other.length <= request.offset || request.offset + request.length <= other.offset ||
               request.twin != kNoTwin || other.twin != kNoTwin);
    }
  }
  PN_CHECK(outstanding == outstanding_bytes_ && cancelled == cancelled_bytes_ && free == free_requests_.size());

  std::uint32_t live = 0;
  std::uint32_t busy = 0;
  for (const Assembly& assembly : assemblies_) {
    if (assembly.state == AssemblyState::kFree) continue;
    live += assembly.live_requests;
    PN_CHECK(assembly.received.total() == assembly.received_bytes);
    PN_CHECK((assembly.state == AssemblyState::kFilling) == (assembly.received_bytes < assembly.length));
    for (const Range<std::uint32_t>& had : assembly.received.ranges()) PN_CHECK(assembly.asked.contains(had));
    if (assembly.item.table != TableId::kChunks) continue;
    ++busy;
    PN_CHECK(busy_.test(ChunkIndex(assembly.item.index)));
  }
  PN_CHECK(live == kMaxRequests - free - [&] {
    std::uint32_t n = 0;
    for (const Request& request : requests_) n += request.state == RequestState::kCancelled ? 1u : 0u;
    return n;
  }());
  PN_CHECK(busy == busy_.count());

  std::size_t used = 0;
  std::size_t partial = 0;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    PN_CHECK(source.requests == requests_of[i] && source.score.outstanding() == of_source[i]);
    if (!source.used) continue;
    ++used;
    partial += has_map(source) ? 1u : 0u;
    PN_CHECK(source.share >= 0 && source.share <= 1);
  }
  PN_CHECK(used == source_count_ && partial == partial_count_);
  if (!begun_) return;
  availability_.check_invariants();
  // Every wanted chunk is present, held or open once its hash is known: none is lost.
  if (verifiable_.full() && unwanted_.none())
    PN_CHECK(present_.count() + busy_.count() + availability_.open_count() >= chunk_count_);
  PN_CHECK(wanted_left_ <= chunk_count_ - present_.count());
  PN_CHECK((availability_.open_count() == 0) == (open_bytes_ == 0));
}

}  // namespace peernet::swarm
