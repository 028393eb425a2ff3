#include "swarm/upload.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace peernet::swarm {

UploadQueue::Upload* UploadQueue::find(RequestId id) {
  return const_cast<Upload*>(static_cast<const UploadQueue*>(this)->find(id));
}

const UploadQueue::Upload* UploadQueue::find(RequestId id) const {
  for (const std::uint16_t i : order_)
    if (uploads_[i].request.id == id) return &uploads_[i];
  return nullptr;
}

UploadQueue::Answer UploadQueue::on_request(const UploadRequest& request) {
  PN_CHECK(request.length > 0);
  if (find(request.id) != nullptr) return Answer::kKnown;
  if (order_.size() == kMaxUploads) return Answer::kBusy;
  if (free_.empty()) {  // several at once: a window is a handful of requests, and their number grows early if at all
    for (std::size_t i = 0; i < kUploadsTogether && uploads_.size() < kMaxUploads; ++i) {
      free_.push_back(static_cast<std::uint16_t>(uploads_.size()));
      uploads_.emplace_back();
    }
  }
  const std::uint16_t i = free_.back();
  free_.pop_back();
  order_.push_back(i);
  Upload& upload = uploads_[i];
  upload.request = request;
  upload.to_send.clear();
  upload.acked.clear();
  PN_CHECK(upload.to_send.insert({request.offset, request.offset + request.length}));
  waiting_bytes_ += request.length;
  return Answer::kAccepted;
}

void UploadQueue::end(std::size_t position) {
  const std::uint16_t i = order_[position];
  waiting_bytes_ -= uploads_[i].to_send.total();
  free_.push_back(i);
  order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(position));
}

bool UploadQueue::on_cancel(RequestId id) {
  for (std::size_t p = 0; p < order_.size(); ++p) {
    if (uploads_[order_[p]].request.id != id) continue;
    end(p);
    return true;
  }
  return false;
}

void UploadQueue::drop_slot(ContentSlot slot) {
  for (std::size_t p = order_.size(); p-- > 0;)
    if (uploads_[order_[p]].request.slot == slot) end(p);
}

std::optional<Piece> UploadQueue::next_piece(std::uint32_t max_bytes) {
  if (waiting_bytes_ == 0) return std::nullopt;
  for (const std::uint16_t i : order_) {
    Upload& upload = uploads_[i];
    if (upload.to_send.empty()) continue;
    Range<std::uint32_t> piece = upload.to_send.lowest();
    piece.end = std::min(piece.end, piece.first + max_bytes);
    PN_CHECK(upload.to_send.subtract(piece));  // cut off the lower end: never one range more
    waiting_bytes_ -= piece.size();
    return Piece{upload.request, piece.first, piece.size()};
  }
  return std::nullopt;
}

// A peer may use the id of an ended request again while packets of the old one are under way: what they say about bytes
// that the new one does not ask for is nothing to it. Unchecked it would make us read what nobody has validated.
Range<std::uint32_t> UploadQueue::within(const UploadRequest& request, std::uint32_t offset, std::uint32_t length) {
  const Range<std::uint32_t> cut{std::max(offset, request.offset),
                                 std::min(offset + length, request.offset + request.length)};
  return cut.first < cut.end ? cut : Range<std::uint32_t>{};
}

void UploadQueue::on_lost(RequestId id, std::uint32_t offset, std::uint32_t length) {
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
}

void UploadQueue::on_acked(RequestId id, std::uint32_t offset, std::uint32_t length) {
  for (std::size_t p = 0; p < order_.size(); ++p) {
    Upload& upload = uploads_[order_[p]];
    if (upload.request.id != id) continue;
    const Range<std::uint32_t> arrived = within(upload.request, offset, length);
    if (arrived.empty()) return;
    if (!upload.acked.insert(arrived)) {
      on_lost(id, offset, length);  // no room to remember it: sent once more rather than never counted
      return;
    }
    if (upload.acked.total() >= upload.request.length) end(p);
    return;
  }
}

}  // namespace peernet::swarm
