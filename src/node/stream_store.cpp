#include "node/stream_store.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.hpp"

namespace peernet::node {

StreamStore::StreamStore(io::Driver& driver, const StoreOptions& options)
    : options_(options),
      output_(options.output_fd),
      writer_(
          thread_, options.max_buffers, [](void* d) { static_cast<io::Driver*>(d)->wake(); }, &driver),
      hoped_(options.core.chunk_count),
      held_(options.max_buffers) {
  events_.reserve(2 * options.max_buffers + 4);
}

void StreamStore::open() {
  if (options_.core.kind != content::ContentKind::kFile)
    return push({.kind = StoreEvent::Kind::kFailed,
                 .error = {ErrorCode::kUsage, 0, "the link is for a folder, and only a file can go to a pipe"}});
  if (!output_.valid())
    return push(
        {.kind = StoreEvent::Kind::kFailed, .error = {ErrorCode::kLocalIo, EBADF, "cannot write to the output"}});
  push({.kind = StoreEvent::Kind::kOpened});
  end_if_complete();
}

bool StreamStore::write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) {
  if (stopped_ || chunk.value() < next_) return false;
  Held& held = held_[slot];
  PN_CHECK(!held.used);
  held = {this, true, chunk, buffer.first(options_.core.chunk_span(chunk))};
  while (submit_next()) ++next_;
  return true;
}

// At most max_buffers are held, so that a search is as good as an index.
bool StreamStore::submit_next() {
  const auto held = std::ranges::find_if(held_, [&](const Held& h) { return h.used && h.chunk.value() == next_; });
  if (held == held_.end()) return false;
  storage::WriterOp op;
  op.kind = storage::WriterOpKind::kCall;
  op.token = static_cast<std::uint64_t>(held - held_.begin());
  op.call = [](void* argument) {
    const Held& h = *static_cast<Held*>(argument);
    return h.store->output_.write(h.bytes);
  };
  op.argument = &*held;
  PN_CHECK(writer_.submit(op));  // as many fit as there are buffers
  return true;
}

void StreamStore::pump(Instant) {
  std::array<storage::WriterCompletion, 32> done;
  for (std::size_t n; (n = writer_.take(done)) > 0;) {
    for (const storage::WriterCompletion& completion : std::span(done).first(n)) {
      Held& held = held_[completion.token];
      held.used = false;
      if (stopped_) continue;
      if (completion.result < 0) {
        stop();
        const auto error = static_cast<std::int32_t>(-completion.result);
        push({.kind = StoreEvent::Kind::kFailed, .error = from_errno(error, "cannot write to the output")});
        continue;
      }
      ++written_;
      written_bytes_ += held.bytes.size();
      push({.kind = StoreEvent::Kind::kWritten,
            .chunk = held.chunk,
            .slot = static_cast<std::uint16_t>(completion.token),
            .has_slot = true});
      end_if_complete();
    }
  }
}

void StreamStore::end_if_complete() {
  if (!all_written()) return;
  push({.kind = StoreEvent::Kind::kAllWritten});
  push({.kind = StoreEvent::Kind::kPublished});
}

std::optional<StoreEvent> StreamStore::poll_event() {
  if (next_event_ == events_.size()) {  // empty: the memory is used again
    events_.clear();
    next_event_ = 0;
    return std::nullopt;
  }
  return events_[next_event_++];
}

void StreamStore::stop() {
  stopped_ = true;
  output_.stop();
}

}  // namespace peernet::node
