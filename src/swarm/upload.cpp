#include "swarm/upload.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {

static_assert(kMaxUploads <= RequestIndex::kMostIds);

UploadQueue::Upload* UploadQueue::find(RequestId id) {
  const auto i = index_.find(id);
  return i ? &uploads_[*i] : nullptr;
}

UploadQueue::Content& UploadQueue::content_of(ContentSlot slot) {
  for (Content& content : contents_)
    if (content.slot == slot) return content;
  contents_.push_back({.slot = slot});
  return contents_.back();
}

UploadQueue::Answer UploadQueue::on_request(const UploadRequest& request) {
  PN_CHECK(request.length > 0);
  if (active(request.id)) return Answer::kKnown;
  if (active_ == kMaxUploads) return Answer::kBusy;
  if (free_.empty()) {  // several at once: a window is a handful of requests, and their number grows early if at all
    for (std::size_t i = 0; i < kUploadsTogether && uploads_.size() < kMaxUploads; ++i) {
      free_.push_back(static_cast<std::uint16_t>(uploads_.size()));
      uploads_.emplace_back();
    }
  }
  const std::uint16_t i = free_.back();
  free_.pop_back();
  Upload& upload = uploads_[i];
  upload.request = request;
  upload.age = next_age_++;
  upload.to_send.clear();
  upload.acked.clear();
  PN_CHECK(upload.to_send.insert({request.offset, request.offset + request.length}));
  index_.insert(request.id, i);
  ++active_;
  waiting_bytes_ += request.length;
  insert_waiting(i);
  return Answer::kAccepted;
}

// Pages of tables overtake chunks: what has arrived of these may wait for the hashes that stand there.
bool UploadQueue::goes_before(std::uint16_t a, std::uint16_t b) const {
  const auto key = [this](std::uint16_t i) {
    return std::pair(uploads_[i].request.table == content::TableId::kChunks, uploads_[i].age);
  };
  return key(a) < key(b);
}

void UploadQueue::insert_waiting(std::uint16_t i) {
  std::vector<std::uint16_t>& waiting = content_of(uploads_[i].request.slot).waiting;
  waiting.insert(std::ranges::upper_bound(waiting, i, [this](auto a, auto b) { return goes_before(a, b); }), i);
}

void UploadQueue::remove_waiting(std::uint16_t i) {
  std::vector<std::uint16_t>& waiting = content_of(uploads_[i].request.slot).waiting;
  waiting.erase(std::ranges::find(waiting, i));
}

void UploadQueue::end(std::uint16_t i) {
  Upload& upload = uploads_[i];
  if (!upload.to_send.empty()) remove_waiting(i);
  waiting_bytes_ -= upload.to_send.total();
  index_.erase(upload.request.id);
  free_.push_back(i);
  --active_;
}

bool UploadQueue::on_cancel(RequestId id) {
  const auto i = index_.find(id);
  if (i) end(*i);
  return i.has_value();
}

void UploadQueue::drop_slot(ContentSlot slot) {
  for (std::uint16_t i = 0; i < uploads_.size(); ++i) {
    const UploadRequest& request = uploads_[i].request;
    if (request.slot == slot && index_.find(request.id) == i) end(i);
  }
  std::erase_if(contents_, [slot](const Content& content) { return content.slot == slot; });
  turn_ = 0;
}

bool UploadQueue::serves_chunk(ContentSlot slot, std::uint32_t chunk) const {
  for (std::uint16_t i = 0; i < uploads_.size(); ++i) {
    const UploadRequest& r = uploads_[i].request;
    if (r.slot != slot || r.table != content::TableId::kChunks || r.index != chunk) continue;
    if (index_.find(r.id) == i) return true;
  }
  return false;
}

// Deficit round robin (Shreedhar and Varghese 1996): who has sent more than a turn's bytes pays for it in the next one.
UploadQueue::Content* UploadQueue::next_content() {
  if (waiting_bytes_ == 0) return nullptr;
  while (true) {
    if (turn_ >= contents_.size()) turn_ = 0;
    Content& content = contents_[turn_];
    if (content.waiting.empty()) {
      content.credit = std::min<std::int64_t>(content.credit, 0);
    } else if (content.credit > 0) {
      return &content;
    }
    ++turn_;
    Content& next = contents_[turn_ < contents_.size() ? turn_ : 0];
    if (!next.waiting.empty()) next.credit = std::min(next.credit + kTurnBytes, kTurnBytes);
  }
}

std::optional<Piece> UploadQueue::next_piece(std::uint32_t max_bytes) {
  Content* content = next_content();
  if (content == nullptr) return std::nullopt;
  Upload& upload = uploads_[content->waiting.front()];
  Range<std::uint32_t> piece = upload.to_send.lowest();
  piece.end = std::min(piece.end, piece.first + max_bytes);
  PN_CHECK(upload.to_send.subtract(piece));  // cut off the lower end: never one range more
  if (upload.to_send.empty()) content->waiting.erase(content->waiting.begin());
  waiting_bytes_ -= piece.size();
  content->credit -= piece.size();
  return Piece{upload.request, piece.first, piece.size()};
}

void UploadQueue::give_back(const Piece& piece) {
  on_lost(piece.request.id, piece.offset, piece.length);
  content_of(piece.request.slot).credit += piece.length;
}

// A peer may use the id of an ended request again while packets of the old one are under way: what they say about bytes
// that the new one does not ask for is nothing to it. Unchecked it would make us read what nobody has validated.
Range<std::uint32_t> UploadQueue::within(const UploadRequest& request, std::uint32_t offset, std::uint32_t length) {
  const Range<std::uint32_t> cut{std::max(offset, request.offset),
                                 std::min(offset + length, request.offset + request.length)};
  return cut.first < cut.end ? cut : Range<std::uint32_t>{};
}

void UploadQueue::on_lost(RequestId id, std::uint32_t offset, std::uint32_t length) {
  if (mutant(Mutant::kUploadForgetsLostRange)) return;
  Upload* upload = find(id);
  if (upload == nullptr) return;
  const Range<std::uint32_t> lost = within(upload->request, offset, length);
  if (lost.empty()) return;
  if (upload->acked.contains(lost)) return;  // its second copy has arrived
  const std::uint32_t before = upload->to_send.total();
  if (!upload->to_send.insert(lost)) {
    // Full: fill the gap to a neighbour, so that nothing is forgotten and some bytes go twice.
    Range<std::uint32_t> joined{lost.first, upload->to_send.highest().end};
    for (const Range<std::uint32_t>& piece : upload->to_send.ranges()) {
      if (piece.first < lost.end) continue;
      joined.end = piece.first;
      break;
    }
    if (joined.end <= lost.first) joined = {upload->to_send.highest().end, lost.end};
    PN_CHECK(upload->to_send.insert(joined));
  }
  waiting_bytes_ += upload->to_send.total() - before;
  if (before == 0) insert_waiting(static_cast<std::uint16_t>(upload - uploads_.data()));
}

void UploadQueue::on_acked(RequestId id, std::uint32_t offset, std::uint32_t length) {
  Upload* upload = find(id);
  if (upload == nullptr) return;
  const Range<std::uint32_t> arrived = within(upload->request, offset, length);
  if (arrived.empty()) return;
  if (!upload->acked.insert(arrived)) {
    on_lost(id, offset, length);  // no room to remember it: sent once more rather than never counted
    return;
  }
  if (upload->acked.total() >= upload->request.length) end(static_cast<std::uint16_t>(upload - uploads_.data()));
}

void UploadQueue::check_invariants() const {
  PN_CHECK(index_.size() == active_ && active_ + free_.size() == uploads_.size());
  std::uint64_t bytes = 0;
  for (const Content& content : contents_) {
    for (std::size_t w = 0; w < content.waiting.size(); ++w) {
      const Upload& upload = uploads_[content.waiting[w]];
      PN_CHECK(upload.request.slot == content.slot && index_.find(upload.request.id) == content.waiting[w]);
      PN_CHECK(!upload.to_send.empty());
      PN_CHECK(w == 0 || goes_before(content.waiting[w - 1], content.waiting[w]));
      bytes += upload.to_send.total();
    }
  }
  PN_CHECK(bytes == waiting_bytes_);
}

}  // namespace peernet::swarm
