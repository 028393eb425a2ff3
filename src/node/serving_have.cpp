// What receivers are told of the chunks that are served: at their join, and as a content grows.
#include <algorithm>

#include "node/shard.hpp"

namespace peernet::node {
namespace {

static_assert(swarm::kMaxNewsRanges == wire::kMaxHaveRanges);
static_assert(content::kChunksPerMapPage == wire::kHaveMapChunks && content::kMapPageBytes == wire::kHaveMapBytes);

// Room that is left to other frames: news can wait, answers cannot.
constexpr std::size_t kRoomLeft = 128;
constexpr std::size_t kLargeRoomLeft = 16;

}  // namespace

// False: there is no room for frames; it goes on when there is.
bool Serving::tell(Instant now, Peer& peer, ServedSlot& slot) {
  const SharedContent& content = *slot.served->content;
  if (content.manifest.core == nullptr) return true;  // how many chunks there are is not known yet
  if (content.have == nullptr) {
    if (slot.have.done()) return true;
    if (!peer.session.send(wire::HaveFrame{.slot = slot.slot, .complete = true, .ranges = {}})) return false;
    slot.have.on_complete();
    shard_.touch(peer);
    return true;
  }
  while (const auto news = slot.have.next(now, *content.have)) {
    if (peer.session.frame_room() < kRoomLeft || peer.session.large_frame_room() < kLargeRoomLeft) return false;
    if (!tell_news(peer, slot, *content.have, *news)) return false;
    slot.have.on_queued(now, *content.have, *news);
    shard_.touch(peer);
  }
  return true;
}

bool Serving::tell_news(Peer& peer, const ServedSlot& slot, const swarm::HaveLog& log, const swarm::HaveNews& news) {
  if (news.kind == swarm::HaveNews::Kind::kMapPage) {
    ByteArray<content::kMapPageBytes> bits;
    const MutableByteSpan page = MutableByteSpan(bits).first(log.map().map_page_bytes(news.page));
    log.map().write_map_page(news.page, page);
    return peer.session.send(wire::HaveMapFrame{slot.slot, news.page, page});
  }
  wire::HaveFrame have;
  have.slot = slot.slot;
  have.complete = news.kind == swarm::HaveNews::Kind::kComplete;
  for (const content::ChunkRange& range : news.ranges) have.ranges.push_back({range.first, range.count});
  return peer.session.send(have);
}

// The last chunk is not held back: others wait for it.
void Serving::on_have_grown(const SharedContent& content) {
  Served* served = find(content);
  if (served == nullptr) return;
  const bool complete = content.manifest.core != nullptr && (content.have == nullptr || content.have->complete());
  const Instant now = shard_.now();
  const Instant at = complete ? now : std::max(now, served->told_at + swarm::kHaveFlushEvery);
  served->tell_at = std::min(served->tell_at, at);
}

void Serving::tell_receivers(Instant now, Served& served) {
  served.told_at = now;
  served.tell_at = Instant::never();
  for (const SlabHandle handle : served.receivers) {
    Peer& peer = *shard_.peer(handle);
    if (peer.have_behind) continue;
    for (ServedSlot& slot : peer.served) {
      if (slot.served != &served) continue;
      if (!tell(now, peer, slot)) {
        peer.have_behind = true;
      } else if (served.content->have != nullptr && served.content->manifest.core != nullptr) {
        served.tell_at = std::min(served.tell_at, slot.have.next_deadline(*served.content->have));
      }
    }
  }
}

void Serving::tell_behind(Instant now, Peer& peer) {
  if (!peer.have_behind || peer.dead) return;
  peer.have_behind = false;
  for (ServedSlot& slot : peer.served) {
    if (!tell(now, peer, slot)) peer.have_behind = true;
    if (slot.served->content->have != nullptr) on_have_grown(*slot.served->content);  // for what came meanwhile
  }
}

}  // namespace peernet::node
