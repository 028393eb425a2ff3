#include "node/discovery.hpp"

#include <algorithm>
#include <map>

#include "io/address_text.hpp"
#include "node/publication.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr Duration kLongestLookUpPause = 60s;
constexpr Duration kRateEvery = 5s;
// What users ask of one tracker goes by the beat that another told, so that it shall not be slowed down much by it.
constexpr std::uint32_t kLongestToldBeat = 60'000;
// Control slots that stay free for sessions while trackers and their clients are talked to.
constexpr std::uint32_t kReservedSlots = kControlSlots / 2;

// Replies begin with their action, a small number; requests with the magic or a connection id. A node may be among the
// trackers it talks to, so that the sender does not tell which of the two it is.
bool looks_like_reply(ByteSpan datagram) {
  return datagram.size() >= 8 && ByteReader(datagram).u32() < 256;
}

std::string unreached(const Address& address) {
  return address.is_v4() ? "IPv4 is not reached from this node's socket"
                         : "IPv6 is not reached from this node's socket";
}

}  // namespace

Discovery::Discovery(Shard& shard) : shard_(shard) {}
Discovery::~Discovery() = default;

discovery::TrackerSet& Discovery::set() {
  if (!set_) {
    discovery::SetOptions options;
    options.node = shard_.context().tag();
    options.reaches_v4 = shard_.context().reaches_v4;
    options.reaches_v6 = shard_.context().reaches_v6;
    options.port = shard_.context().port;
    options.seed = shard_.random_u64();
    set_.emplace(options);
  }
  return *set_;
}

EmbeddedTracker& Discovery::embedded_tracker() {
  if (!embedded_) {
    const double seconds = shard_.context().config.tracker_beat_seconds;
    const auto random = shard_.context().make_random();
    embedded_ = std::make_unique<EmbeddedTracker>(Duration(static_cast<std::int64_t>(seconds * 1e9)), *random);
  }
  return *embedded_;
}

// ---------------------------------------------------------------------------------------------- users

Discovery::Member* Discovery::member_of(const TrackerUser& user) {
  for (const auto& member : members_)
    if (user_of(*member, user) != nullptr) return member.get();
  return nullptr;
}

Discovery::User* Discovery::user_of(Member& member, const TrackerUser& user) {
  const auto found = std::ranges::find(member.users, &user, &User::user);
  return found == member.users.end() ? nullptr : &*found;
}

// What others may count on: whoever serves all of it speaks for this node.
discovery::ContentState Discovery::best_state(const Member& member) {
  const auto worth = [](const User& user) {
    return std::pair(user.state.flags & (wire::kContentServed | wire::kContentComplete), user.state.chunks);
  };
  return std::ranges::max_element(member.users, {}, worth)->state;
}

bool Discovery::reachable(const Address& address) const {
  return address.is_v4() ? shard_.context().reaches_v4 : shard_.context().reaches_v6;
}

Discovery::Member& Discovery::member_for(const Membership& membership) {
  for (const auto& member : members_)
    if (member->swarm == membership.swarm && member->announced == membership.announced) return *member;
  members_.push_back(std::make_unique<Member>());
  Member& member = *members_.back();
  member.number = next_number_++;
  member.swarm = membership.swarm;
  member.announced = membership.announced;
  return member;
}

/// Whether there is a new one that can be asked at once.
bool Discovery::add_trackers(Member& member, TrackerUser& user, std::vector<std::string> names) {
  bool more = false;
  for (std::string& name : names) {
    if (std::ranges::find(member.unknown_names, name) != member.unknown_names.end()) continue;
    if (std::ranges::find(member.endpoints, name, &discovery::TrackerEndpoint::name) != member.endpoints.end())
      continue;
    if (member.endpoints.size() + member.unknown_names.size() == discovery::kMaxTrackersPerContent) break;
    if (const auto address = io::parse_address(name); !address) {
      member.unknown_names.push_back(std::move(name));
    } else if (reachable(*address)) {
      member.endpoints.push_back({std::move(name), {*address}});
      more = true;
    } else {
      untold_.push_back({&user, std::move(name), unreached(*address)});
    }
  }
  return more;
}

void Discovery::join(TrackerUser& user, Membership membership) {
  Member& member = member_for(membership);
  member.users.push_back({&user, membership.state, membership.numwant});
  const std::size_t unknown = member.unknown_names.size();
  const bool more = add_trackers(member, user, std::move(membership.trackers));
  if (more || membership.numwant > member.numwant) {  // the set ranks all trackers of a content together
    leave_trackers(member);
    enter(member);
  } else if (member.key) {
    set().update(shard_.now(), *member.key, best_state(member));
    set().want_peers(shard_.now(), *member.key);
  }
  if (member.unknown_names.size() > unknown) look_up_names(member);
}

void Discovery::tell_unusable() {
  // Who is told may leave, and take others' news along, or join.
  for (std::size_t left = untold_.size(); left > 0 && !untold_.empty(); --left) {
    const Unusable news = std::move(untold_.front());
    untold_.erase(untold_.begin());
    news.user->on_tracker_unusable(news.tracker, news.reason);
  }
}

void Discovery::enter(Member& member) {
  for (const User& user : member.users) member.numwant = std::max(member.numwant, user.numwant);
  if (member.endpoints.empty()) return;
  discovery::ContentOptions options;
  options.swarm = member.swarm;
  options.trackers = member.endpoints;
  options.state = best_state(member);
  options.numwant = member.numwant;
  options.announced = member.announced;
  member.key = set().add(shard_.now(), options);
  if (member.query_wanted) set().query(shard_.now(), *member.key);
}

void Discovery::leave_trackers(Member& member) {
  if (member.key) set().remove(shard_.now(), *member.key);
  member.key.reset();
}

void Discovery::update(TrackerUser& user, const discovery::ContentState& state) {
  Member* member = member_of(user);
  if (member == nullptr) return;
  user_of(*member, user)->state = state;
  if (member->key) set().update(shard_.now(), *member->key, best_state(*member));
}

void Discovery::want_peers(TrackerUser& user) {
  const Member* member = member_of(user);
  if (member != nullptr && member->key) set().want_peers(shard_.now(), *member->key);
}

void Discovery::query(TrackerUser& user) {
  Member* member = member_of(user);
  if (member == nullptr) return;
  member->query_wanted = true;
  if (member->key) set().query(shard_.now(), *member->key);
}

void Discovery::leave(TrackerUser& user) {
  Member* member = member_of(user);
  if (member == nullptr) return;
  std::erase_if(member->users, [&](const User& u) { return u.user == &user; });
  std::erase_if(untold_, [&](const Unusable& u) { return u.user == &user; });
  if (member->users.empty()) {
    leave_trackers(*member);
    std::erase_if(members_, [&](const auto& m) { return m.get() == member; });
  } else if (member->key) {
    set().update(shard_.now(), *member->key, best_state(*member));
  }
}

// ---------------------------------------------------------------------------------------------- names

void Discovery::look_up_names(Member& member) {
  if (member.unknown_names.empty()) return;
  look_up(member.unknown_names,
          [home = shard_.context().home, number = member.number](const std::vector<NamedAddresses>& found) {
            home->post([number, found](Shard& shard) { shard.discovery().on_names(number, found); });
          });
}

void Discovery::on_names(std::uint64_t number, const std::vector<NamedAddresses>& found) {
  const auto at = std::ranges::find(members_, number, [](const auto& m) { return m->number; });
  if (at == members_.end()) return;
  Member& member = **at;
  bool more = false;
  std::map<std::string, std::string> reasons;
  for (const NamedAddresses& named : found) {
    std::vector<Address> addresses = named.addresses;
    std::erase_if(addresses, [this](const Address& a) { return !reachable(a); });
    if (addresses.empty()) {
      if (!named.addresses.empty()) reasons[named.name] = unreached(named.addresses.front());
      continue;
    }
    if (std::erase(member.unknown_names, named.name) == 0) continue;  // a question put twice
    member.endpoints.push_back({named.name, std::move(addresses)});
    more = true;
  }
  if (more) {  // the set ranks all trackers of a content together
    leave_trackers(member);
    enter(member);
  }
  if (member.unknown_names.empty()) return;
  member.look_up_at = shard_.now() + member.look_up_pause;
  member.look_up_pause = std::min(2 * member.look_up_pause, kLongestLookUpPause);
  for (const User& user : member.users) {
    for (const std::string& name : member.unknown_names) {
      const auto reason = reasons.find(name);
      untold_.push_back({user.user, name, reason == reasons.end() ? "the name does not resolve" : reason->second});
    }
  }
}

// ---------------------------------------------------------------------------------------------- what is served

void Discovery::publish(std::unique_ptr<Publication> publication) {
  publications_.push_back(std::move(publication));
  if (rate_at_.is_never()) {
    rate_since_ = shard_.now();
    rate_at_ = rate_since_ + kRateEvery;
  }
  publications_.back()->start(shard_.now(), shard_);
}

void Discovery::withdraw(const SharedContent& content) {
  const auto found = std::ranges::find_if(publications_, [&](const auto& p) { return &p->content() == &content; });
  if (found == publications_.end()) return;
  (*found)->end(shard_.now(), shard_);
  publications_.erase(found);
}

// Trackers tell others how fast this node serves: what it has sent lately, over all its contents.
void Discovery::measure_rate(Instant now) {
  if (now < rate_at_) return;
  std::uint64_t sent = 0;
  for (const auto& publication : publications_) sent += publication->bytes_sent();
  const double seconds = static_cast<double>((now - rate_since_).count()) * 1e-9;
  const double kib = static_cast<double>(sent - std::min(sent, rate_sent_)) / 1024 / seconds;
  const auto rate = static_cast<std::uint32_t>(std::min(kib, 4e9));
  if (set_) set_->set_rate(rate);
  if (embedded_) embedded_->set_rate(rate);
  rate_sent_ = sent;
  rate_since_ = now;
  rate_at_ = publications_.empty() ? Instant::never() : now + kRateEvery;
}

// ---------------------------------------------------------------------------------------------- datagrams

bool Discovery::on_datagram(const Address& from, ByteSpan datagram) {
  if (set_ && looks_like_reply(datagram) && set_->on_datagram(shard_.now(), from, datagram)) return true;
  if (!embedded_) return false;
  if (shard_.free_control_slots() <= kReservedSlots) return true;  // the asker asks again
  ByteArray<wire::kMaxTrackerReply> reply;
  const std::size_t size = embedded_->answer(shard_.now(), from, datagram, reply, shard_.mutable_counters().tracker);
  if (size > 0) shard_.send_raw(from, ByteSpan(reply).first(size));
  return true;
}

void Discovery::transmit() {
  if (!set_) return;
  ByteArray<wire::kMaxTrackerRequest> request;
  while (shard_.free_control_slots() > kReservedSlots) {
    const auto out = set_->poll_transmit(shard_.now(), request);
    if (!out) return;
    shard_.send_raw(out->to, ByteSpan(request).first(out->size));
  }
}

void Discovery::deliver(const discovery::DiscoveryEvent& event) {
  using Kind = discovery::DiscoveryEvent::Kind;
  const auto found = std::ranges::find_if(members_, [&](const auto& m) { return m->key == event.content; });
  if (found == members_.end()) return;
  const std::uint64_t number = (*found)->number;
  const std::vector<User> users = (*found)->users;
  for (const User& user : users) {
    // Who was told before may have made this one leave.
    const auto member = std::ranges::find(members_, number, [](const auto& m) { return m->number; });
    if (member == members_.end()) return;
    if (user_of(**member, *user.user) == nullptr) continue;
    switch (event.kind) {
      case Kind::kPeers:
        user.user->on_tracker_peers(event.peers);
        break;
      case Kind::kAnnounced:
        user.user->on_tracker_announced(event.tracker);
        break;
      case Kind::kDown:
        user.user->on_tracker_down(event.tracker);
        break;
      case Kind::kRefused:
        user.user->on_tracker_refused(event.tracker, event.text);
        break;
      case Kind::kListing:
        user.user->on_tracker_listing(event.tracker, event.listing);
        break;
    }
  }
}

void Discovery::work(Instant now) {
  tell_unusable();
  for (const auto& member : members_) {
    if (now < member->look_up_at) continue;
    member->look_up_at = Instant::never();
    look_up_names(*member);
  }
  for (const auto& publication : publications_) publication->work(now);
  measure_rate(now);
  if (embedded_) embedded_->work(now, shard_.mutable_counters().tracker);
  if (!set_) return;
  if (now >= set_->next_deadline()) set_->on_timeout(now);
  while (auto event = set_->poll_event()) {
    event->peers.beat_ms = std::min(event->peers.beat_ms, kLongestToldBeat);
    deliver(*event);
  }
}

Instant Discovery::next_deadline() const {
  if (!untold_.empty()) return shard_.now();
  Instant next = rate_at_;
  for (const auto& member : members_) next = std::min(next, member->look_up_at);
  for (const auto& publication : publications_) next = std::min(next, publication->next_deadline());
  if (embedded_) next = std::min(next, embedded_->next_deadline());
  if (set_) next = std::min(next, set_->next_deadline());
  return next;
}

void Discovery::stop(Instant now) {
  while (!publications_.empty()) withdraw(publications_.back()->content());
  while (!members_.empty()) {
    leave_trackers(*members_.back());
    members_.pop_back();
  }
  untold_.clear();
  rate_at_ = Instant::never();
  if (!embedded_) return;
  embedded_->say_goodbye(now, [this](const Address& to, ByteSpan datagram) { shard_.send_raw(to, datagram); });
  embedded_.reset();
}

}  // namespace peernet::node
