#include "node/publication.hpp"

#include "node/shard.hpp"

namespace peernet::node {

void Publication::start(Instant now, Shard& shard) {
  const SharedContent& content = *options_.content;
  const std::uint32_t chunks = content.manifest.core->chunk_count;
  if (options_.embedded) {
    EmbeddedTracker::Listing listing{content.swarm, std::move(options_.addresses), shard.context().tag(), chunks};
    shard.discovery().embedded_tracker().list(now, std::move(listing));
  }
  if (options_.trackers.empty()) return tell_link();
  Discovery::Membership membership{.swarm = content.swarm, .trackers = options_.trackers};
  membership.state.flags = wire::kContentComplete | wire::kContentServed;
  membership.state.chunks = chunks;
  membership.state.owned.fill(std::byte{0xff});
  impatient_at_ = now + kPatience;
  shard.discovery().join(*this, std::move(membership));
}

void Publication::end(Instant now, Shard& shard) {
  if (options_.embedded) shard.discovery().embedded_tracker().unlist(now, options_.content->swarm);
  if (!options_.trackers.empty()) shard.discovery().leave(*this);
}

void Publication::work(Instant now) {
  if (now < impatient_at_) return;
  impatient_at_ = Instant::never();
  complain();
  if (!options_.joined) tell_link();
}

// Why nobody finds this content through trackers yet.
void Publication::complain() {
  refusal_told_ = refused_;
  const bool several = options_.trackers.size() > 1;
  std::string text = options_.joined ? "no tracker of the link has answered yet"
                     : several       ? "none of the trackers has answered yet"
                                     : "the tracker has not answered yet";
  if (troubles_.size() > 0) text = "not listed by any tracker yet: " + troubles_.text();
  options_.content->transfer->push({.kind = EventKind::kNotice, .text = std::move(text) + "; trying on"});
}

void Publication::tell_link() {
  if (told_) return;
  told_ = true;
  impatient_at_ = Instant::never();
  options_.content->transfer->push({.kind = EventKind::kLink, .text = options_.link});
}

void Publication::on_tracker_announced(const std::string& tracker) {
  troubles_.announced(*options_.content->transfer, tracker);
  listed_ = true;
  tell_link();
}

void Publication::on_tracker_down(const std::string& tracker) {
  troubles_.down(*options_.content->transfer, tracker);
}

void Publication::on_tracker_unusable(const std::string& tracker, const std::string& reason) {
  troubles_.unusable(*options_.content->transfer, tracker, reason);
}

void Publication::on_tracker_refused(const std::string& tracker, const std::string& text) {
  troubles_.refused(*options_.content->transfer, tracker, text);
  refused_ = true;
  if (!refusal_told_ && !listed_ && impatient_at_.is_never()) complain();  // silence was complained of before
}

}  // namespace peernet::node
