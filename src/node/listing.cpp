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
// For the next page of any tracker once one has told everything: more than until a lost connect is sent again.
constexpr std::chrono::milliseconds kGrace{600};

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
    ++pages_;
    std::size_t& told = told_[tracker];
    told += reply.nodes.size();
    if (listing_.tracker.empty() || told > told_[listing_.tracker]) listing_.tracker = tracker;
    listing_.legacy_seeders = std::max(listing_.legacy_seeders, reply.legacy_seeders);
    listing_.legacy_leechers = std::max(listing_.legacy_leechers, reply.legacy_leechers);
    for (std::size_t i = 0; i < reply.nodes.size() && listing_.members.size() < kMaxListed; ++i)
      add(member_of(reply.nodes[i]));
    if (reply.cursor == 0 || told >= kMaxListed) finished_.insert(tracker);
  }
  changed_.notify_all();
}

// A node may be listed by several trackers and at several addresses, and what changes between two pages may be on both.
void ListingQuestion::add(SwarmMember member) {
  const auto [place, fresh] = places_.try_emplace(member.node, listing_.members.size());
  if (fresh) return listing_.members.push_back(std::move(member));
  SwarmMember& known = listing_.members[place->second];
  if (known.address != member.address &&
      std::ranges::find(known.other_addresses, member.address) == known.other_addresses.end())
    known.other_addresses.push_back(member.address);
  if (member.age_seconds >= known.age_seconds) return;
  member.address = std::move(known.address);
  member.other_addresses = std::move(known.other_addresses);
  known = std::move(member);
}

void ListingQuestion::without(const std::string& tracker, bool unusable) {
  {
    const std::scoped_lock lock(mutex_);
    without_.insert(tracker);
    if (unusable) unusable_.insert(tracker);
  }
  changed_.notify_all();
}

bool ListingQuestion::all_heard() const {
  return std::ranges::all_of(
      link_.trackers, [this](const std::string& name) { return finished_.contains(name) || without_.contains(name); });
}

Result<SwarmListing> ListingQuestion::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto limit = std::chrono::steady_clock::now() + timeout;
  while (!all_heard()) {
    const std::size_t pages = pages_;
    const auto end = finished_.empty() ? limit : std::min(limit, std::chrono::steady_clock::now() + kGrace);
    if (!changed_.wait_until(lock, end, [&] { return all_heard() || pages_ != pages; })) break;
  }
  done_ = true;
  if (!finished_.empty()) return std::move(listing_);
  const bool none_usable =
      std::ranges::all_of(link_.trackers, [this](const std::string& name) { return unusable_.contains(name); });
  const char* const text = none_usable ? "no tracker of the link can be asked: its name does not resolve, or it has no "
                                         "address of a family that is reached from here"
                                       : "no tracker of the link answers";
  return std::unexpected(Error{ErrorCode::kUnreachable, 0, text});
}

}  // namespace peernet::node
