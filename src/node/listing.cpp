#include "node/listing.hpp"

#include <algorithm>

#include "crypto/join_proof.hpp"
#include "io/address_text.hpp"
#include "node/ownership.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

// A tracker that turns pages for ever is not listened to for ever.
constexpr std::size_t kMaxListed = 100'000;

}  // namespace

SwarmMember member_of(const wire::ListedNode& node) {
  SwarmMember out;
  out.address = io::format_address(node.address);
  out.node.assign(reinterpret_cast<const char*>(node.node.data()), node.node.size());
  out.complete = (node.flags & wire::kContentComplete) != 0;
  out.served = (node.flags & wire::kContentServed) != 0;
  out.age_seconds = static_cast<double>(node.age_ms) / 1000;
  out.rate = std::uint64_t{node.rate_kib} * 1024;
  out.chunks = node.chunks;
  out.owned = node.owned;
  out.fraction = out.complete ? 1.0 : fraction_of(node.owned, node.chunks);
  return out;
}

void ListingQuestion::start(Shard& shard) {
  shard.discovery().join(
      *this,
      {.swarm = crypto::swarm_id(link_.swarm_key, link_.content_id), .trackers = link_.trackers, .announced = false});
  shard.discovery().query(*this);
}

void ListingQuestion::end(Shard& shard) {
  shard.discovery().leave(*this);
}

void ListingQuestion::on_tracker_listing(const std::string& tracker, const wire::QueryReply& reply) {
  {
    const std::scoped_lock lock(mutex_);
    if (done_) return;
    if (listing_.tracker != tracker) {
      listing_ = {.tracker = tracker};
      places_.clear();
    }
    listing_.legacy_seeders = reply.legacy_seeders;
    listing_.legacy_leechers = reply.legacy_leechers;
    for (std::size_t i = 0; i < reply.nodes.size(); ++i) add(member_of(reply.nodes[i]));
    if (reply.cursor != 0 && listing_.members.size() < kMaxListed) return;
    done_ = true;
  }
  changed_.notify_all();
}

// A node with several addresses is listed at each of them, and what changes between two pages may be on both.
void ListingQuestion::add(SwarmMember member) {
  const auto [place, fresh] = places_.try_emplace(member.node, listing_.members.size());
  if (fresh) return listing_.members.push_back(std::move(member));
  SwarmMember& known = listing_.members[place->second];
  known.age_seconds = std::min(known.age_seconds, member.age_seconds);
  if (known.address != member.address &&
      std::ranges::find(known.other_addresses, member.address) == known.other_addresses.end())
    known.other_addresses.push_back(std::move(member.address));
}

void ListingQuestion::without(const std::string& tracker) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::ranges::find(without_, tracker) == without_.end()) without_.push_back(tracker);
  }
  changed_.notify_all();
}

Result<SwarmListing> ListingQuestion::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return done_ || without_.size() >= link_.trackers.size(); });
  if (!done_) return std::unexpected(Error{ErrorCode::kUnreachable, 0, "no tracker of the link answers"});
  return listing_;
}

}  // namespace peernet::node
