#include "tracker/peer_choice.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "tracker/candidate_walk.hpp"
#include "tracker/subnet_quota.hpp"

namespace peernet::tracker {
namespace {

/// Buckets that are searched for one part of a set before the places go to whoever is there: parts can be tiny.
constexpr std::uint32_t kPartBuckets = 256;
constexpr std::uint32_t kAllBuckets = UINT32_MAX;
/// Looking further ends here whatever happens: a large swarm whose peers have just died all at once.
constexpr std::uint32_t kMostLooks = 1 << 16;

/// part of places, as part of all: its share, rounded up or down at random so that the mean is right.
std::uint32_t share(std::uint32_t places, std::uint32_t part, std::uint32_t all, Rng& rng) {
  return static_cast<std::uint32_t>((std::uint64_t{places} * part + rng.below(all)) / all);
}

/// Places of one reply being filled with legacy peers.
template <class Record>
class LegacyReply {
 public:
  LegacyReply(const Record& asker, std::uint32_t places, const Ages& ages, Moment now, Rng& rng, MutableByteSpan out)
      : asker_(asker), places_(places), ages_(ages), now_(now), quota_(places, rng.next()), out_(out) {}

  /// False when `places` are filled or it is no use to look on.
  bool see(const Record& peer, std::uint32_t places) {
    ++looked_;
    if (!peer.same_peer(asker_) && !ages_.dead(peer, now_)) {
      if (quota_.admit(subnet_of(peer))) {
        take(peer);
      } else if (deferred_count_ < places_) {
        deferred_[deferred_count_++] = peer;
      }
    }
    return taken_ < places && !tired();
  }
  std::size_t finish() {
    for (std::uint32_t i = 0; i < deferred_count_ && taken_ < places_; ++i) take(deferred_[i]);
    return taken_ * Record::kReplySize;
  }
  bool full(std::uint32_t places) const { return taken_ >= places; }
  bool tired() const {
    const bool could_fill = taken_ + deferred_count_ >= places_;
    return looked_ >= (could_fill ? places_ + kFurtherCandidates : kMostLooks);
  }

 private:
  void take(const Record& peer) {
    std::memcpy(out_.data() + taken_ * Record::kReplySize, &peer, Record::kReplySize);
    ++taken_;
  }

  const Record& asker_;
  std::uint32_t places_;
  const Ages& ages_;
  Moment now_;
  SubnetQuota quota_;
  MutableByteSpan out_;
  std::uint32_t taken_ = 0;
  std::uint32_t looked_ = 0;
  std::uint32_t deferred_count_ = 0;
  std::array<Record, wire::kMaxPeersV4> deferred_;  // who stood back, first come
};

}  // namespace

template <class Record>
std::size_t choose_legacy(const PeerSet<Record>& set, const Record& asker, std::uint32_t places, const Ages& ages,
                          Moment now, Rng& rng, MutableByteSpan out) {
  if (places == 0 || set.empty()) return 0;
  PN_CHECK(places <= wire::kMaxPeersV4 && out.size() >= places * Record::kReplySize);
  LegacyReply<Record> reply(asker, places, ages, now, rng, out);
  CandidateWalk<Record> walk(set, rng);
  const auto fill = [&](Part part, std::uint32_t buckets, std::uint32_t up_to) {
    if (reply.full(up_to) || reply.tired()) return;
    walk.run(part, buckets, [&](const Record& peer) { return reply.see(peer, up_to); });
  };
  if (!asker.in_front()) fill(Part::kFront, kPartBuckets, share(places, set.front(), set.size(), rng));
  fill(Part::kBack, kPartBuckets, places);
  fill(Part::kFront, kAllBuckets, places);
  fill(Part::kBack, kAllBuckets, places);
  return reply.finish();
}

template std::size_t choose_legacy(const PeerSet<LegacyV4>&, const LegacyV4&, std::uint32_t, const Ages&, Moment, Rng&,
                                   MutableByteSpan);
template std::size_t choose_legacy(const PeerSet<LegacyV6>&, const LegacyV6&, std::uint32_t, const Ages&, Moment, Rng&,
                                   MutableByteSpan);

namespace {

/// Candidates among which the useful ones are looked for.
constexpr std::uint32_t kCandidates = 3 * wire::kMaxNodePeers;

struct Candidate {
  const Node* node = nullptr;
  std::uint32_t score = 0;  // chunks (in 1/128) that it has and the asker lacks; for a complete asker the reverse
  bool used = false;
};

std::uint64_t half_of(const wire::OwnershipBits& bits, std::size_t from) {
  std::uint64_t v = 0;
  std::memcpy(&v, bits.data() + from, 8);
  return v;
}

std::uint32_t score_of(const Node& peer, const Node& asker) {
  const bool gives = !asker.in_front();
  int bits = 0;
  for (const std::size_t from : {std::size_t{0}, std::size_t{8}}) {
    const std::uint64_t theirs = half_of(peer.owned, from);
    bits += std::popcount(gives ? theirs & ~half_of(asker.owned, from) : ~theirs);
  }
  return static_cast<std::uint32_t>(bits);
}

class NodeReply {
 public:
  NodeReply(const Node& asker, const NodeWishes& wishes, const Ages& ages, Moment now, Rng& rng, ChosenNodes& out)
      : asker_(asker),
        wishes_(wishes),
        ages_(ages),
        now_(now),
        rng_(rng),
        quota_(wishes.places, rng.next()),
        out_(out) {}

  bool eligible(const Node& peer) const {
    if ((peer.flags & wire::kContentServed) == 0 || peer.same_peer(asker_) || ages_.dead(peer, now_)) return false;
    return wishes_.v4 && wishes_.v6 ? true : address_of(peer).is_v4() ? wishes_.v4 : wishes_.v6;
  }
  bool collect(const Node& peer, std::uint32_t up_to) {
    if (eligible(peer) && candidates_.size() < up_to) candidates_.push_back({&peer, score_of(peer, asker_), false});
    return candidates_.size() < up_to;
  }
  std::uint32_t candidates() const { return static_cast<std::uint32_t>(candidates_.size()); }

  void choose() {
    for (std::size_t i = candidates_.size(); i > 1; --i) std::swap(candidates_[i - 1], candidates_[rng_.below(i)]);
    const std::uint32_t random = (wishes_.places + 3) / 4;
    take_while([](const Candidate&) { return true; }, [&] { return out_.size() < random; });
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    const std::uint32_t half = (wishes_.places + 1) / 2;
    const auto complete = [](const Candidate& c) { return c.node->in_front(); };
    const auto partial = [](const Candidate& c) { return !c.node->in_front() && c.score != 0; };
    take_while(partial, [&] { return out_.size() - complete_taken_ < half; });
    take_while(complete, [&] { return complete_taken_ < half; });
    take_while(partial, [] { return true; });
    take_while(complete, [] { return true; });
    take_while([](const Candidate&) { return true; }, [] { return true; });
  }

  /// One more that no candidate could be; false: enough.
  bool see(const Node& peer) {
    ++looked_;
    if (eligible(peer)) offer(peer);
    return !full() && !tired();
  }
  void finish() {
    for (std::size_t i = 0; i < deferred_.size() && !full(); ++i) take(*deferred_[i]);
  }
  bool full() const { return out_.size() >= wishes_.places; }
  bool tired() const {
    return looked_ >= (out_.size() + deferred_.size() >= wishes_.places ? kFurtherCandidates : kMostLooks);
  }

 private:
  template <class Which, class More>
  void take_while(const Which& which, const More& more) {
    for (Candidate& c : candidates_) {
      if (full() || !more()) return;
      if (c.used || !which(c)) continue;
      c.used = true;
      offer(*c.node);
    }
  }
  void offer(const Node& peer) {
    if (quota_.admit(subnet_of(peer))) {
      take(peer);
    } else {
      deferred_.try_push_back(&peer);
    }
  }
  void take(const Node& peer) {
    complete_taken_ += peer.in_front();
    out_.push_back({.flags = peer.flags,
                    .address = address_of(peer),
                    .rate_kib = peer.rate_kib,
                    .node = peer.node,
                    .owned = peer.owned});
  }

  const Node& asker_;
  const NodeWishes& wishes_;
  const Ages& ages_;
  Moment now_;
  Rng& rng_;
  SubnetQuota quota_;
  ChosenNodes& out_;
  InplaceVector<Candidate, kCandidates> candidates_;
  InplaceVector<const Node*, wire::kMaxNodePeers> deferred_;
  std::uint32_t complete_taken_ = 0;
  std::uint32_t looked_ = 0;
};

}  // namespace

void choose_nodes(const PeerSet<Node>& set, const Node& asker, const NodeWishes& wishes, const Ages& ages, Moment now,
                  Rng& rng, ChosenNodes& out) {
  out.clear();
  if (wishes.places == 0 || set.empty()) return;
  PN_CHECK(wishes.places <= wire::kMaxNodePeers);
  NodeReply reply(asker, wishes, ages, now, rng, out);
  CandidateWalk<Node> walk(set, rng);
  const std::uint32_t most = 3 * wishes.places;
  const auto collect = [&](Part part, std::uint32_t up_to) {
    if (reply.candidates() >= up_to) return;
    walk.run(part, kPartBuckets, [&](const Node& peer) { return reply.collect(peer, up_to); });
  };
  // As many of each kind as there may be, however rare it is; then whoever there is.
  const std::uint32_t of_a_kind = (most + 1) / 2;
  collect(Part::kFront, of_a_kind);
  collect(Part::kBack, most);
  collect(Part::kFront, most);
  reply.choose();
  // Those who had to stand back for their neighbourhood, or are not served, may have left places to others.
  for (const Part part : {Part::kBack, Part::kFront}) {
    if (reply.full() || reply.tired()) break;
    walk.run(part, kAllBuckets, [&](const Node& peer) { return reply.see(peer); });
  }
  reply.finish();
}

}  // namespace peernet::tracker
