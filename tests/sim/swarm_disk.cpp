#include "sim/swarm_disk.hpp"

#include <algorithm>
#include <cerrno>

namespace peernet::sim {

SimDisk::SimDisk(Clockwork& clockwork, const SwarmContent& content, std::uint32_t node, std::uint64_t seed)
    : clockwork_(clockwork), content_(content), node_(node), rng_(seed) {
  const std::size_t blocks = (content.bytes().size() + kBlock - 1) / kBlock;
  cache_.resize(blocks * kBlock);
  platter_.resize(blocks * kBlock);
  has_data_.resize(blocks);
  dirty_.resize(blocks);
}

bool SimDisk::fails() {
  return profile.fail > 0 && rng_.chance(profile.fail);
}

void SimDisk::later(Duration takes, Done done, std::int64_t result) {
  const Duration jitter = drawn(rng_, Duration(0), takes);
  clockwork_.after(takes + jitter, [alive = std::weak_ptr(alive_), done = std::move(done), result] {
    if (!alive.expired()) done(result);
  });
}

void SimDisk::put(std::uint64_t offset, ByteSpan bytes) {
  std::ranges::copy(bytes, cache_.begin() + static_cast<std::ptrdiff_t>(offset));
  for (std::uint64_t block = offset / kBlock; block * kBlock < offset + bytes.size(); ++block)
    has_data_[block] = dirty_[block] = true;
}

void SimDisk::write(std::uint64_t offset, ByteSpan bytes, Done done) {
  if (full) return later(profile.write, std::move(done), -ENOSPC);
  if (fails()) return later(profile.write, std::move(done), -EIO);
  const std::uint64_t number = next_write_++;
  writes_.push_back({number, offset, bytes});
  const auto size = static_cast<std::int64_t>(bytes.size());
  later(
      profile.write,
      [this, number, offset, bytes, done = std::move(done)](std::int64_t result) {
        std::erase_if(writes_, [&](const Write& w) { return w.number == number; });
        put(offset, bytes);
        done(result);
      },
      size);
}

// A failed fsync has thrown the pages away that it could not write, as some file systems do; on those that keep them
// as clean the next fsync would say that all is well.
void SimDisk::fsync(Done done) {
  const bool bad = fails();
  std::vector<bool> covered = dirty_;
  later(
      profile.fsync,
      [this, bad, covered = std::move(covered), done = std::move(done)](std::int64_t result) {
        for (std::size_t block = 0; block < covered.size(); ++block) {
          if (!covered[block]) continue;
          const auto at = static_cast<std::ptrdiff_t>(block * kBlock);
          const auto& from = bad ? platter_ : cache_;
          auto& to = bad ? cache_ : platter_;
          std::copy_n(from.begin() + at, kBlock, to.begin() + at);
          dirty_[block] = false;
        }
        done(bad ? -EIO : result);
      },
      0);
}

void SimDisk::publish(bool sync, Done done) {
  publishing_ = true;
  if (!is_whole(cache_)) clockwork_.fail(node_, "the final name is given to bytes that are not the content");
  if (sync && !is_whole(platter_)) clockwork_.fail(node_, "the final name is given to bytes that are not durable");
  later(
      profile.write,
      [this, done = std::move(done)](std::int64_t result) {
        publishing_ = false;
        final_name_ = true;
        recorded_.reset();
        done(result);
      },
      0);
}

void SimDisk::read(std::uint64_t offset, MutableByteSpan into, Done done) {
  const bool bad = fails();
  later(
      profile.read,
      [this, bad, offset, into, done = std::move(done)](std::int64_t) {
        if (bad) return done(-EIO);
        std::copy_n(cache_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
        done(static_cast<std::int64_t>(into.size()));
      },
      0);
}

void SimDisk::record(const content::ChunkMap& durable) {
  for (auto chunk = durable.next_set(ChunkIndex(0)); chunk; chunk = durable.next_set(*chunk + 1)) {
    if (recorded_ && recorded_->test(*chunk)) continue;
    if (!is_right(platter_, *chunk)) clockwork_.fail(node_, "a chunk is recorded that is not durable");
  }
  recorded_ = durable;
}

std::vector<storage::Extent> SimDisk::extents() const {
  std::vector<storage::Extent> out;
  const std::uint64_t end = content_.bytes().size();
  for (std::size_t block = 0; block < has_data_.size(); ++block) {
    if (!has_data_[block]) continue;
    const std::uint64_t from = block * kBlock;
    if (!out.empty() && out.back().end == from) {
      out.back().end = std::min<std::uint64_t>(from + kBlock, end);
    } else {
      out.push_back({from, std::min<std::uint64_t>(from + kBlock, end)});
    }
  }
  return out;
}

bool SimDisk::is_right(const std::vector<std::byte>& image, ChunkIndex chunk) const {
  const ByteSpan right = content_.chunk(chunk);
  const auto at = static_cast<std::ptrdiff_t>(content_.core().chunk_start(chunk));
  return std::equal(right.begin(), right.end(), image.begin() + at);
}

bool SimDisk::is_whole(const std::vector<std::byte>& image) const {
  return std::equal(content_.bytes().begin(), content_.bytes().end(), image.begin());
}

void SimDisk::crash(bool power_cut) {
  alive_ = std::make_shared<int>(0);
  for (const Write& w : writes_) {  // torn: any of its blocks may have been written
    for (std::size_t at = 0; at < w.bytes.size(); at += kBlock)
      if (rng_.chance(0.5)) put(w.offset + at, w.bytes.subspan(at, std::min<std::size_t>(kBlock, w.bytes.size() - at)));
  }
  writes_.clear();
  if (std::exchange(publishing_, false) && rng_.chance(0.5)) final_name_ = true;
  if (!power_cut) return;
  for (std::size_t block = 0; block < dirty_.size(); ++block) {
    if (!dirty_[block]) continue;
    const auto at = static_cast<std::ptrdiff_t>(block * kBlock);
    dirty_[block] = false;
    if (rng_.chance(0.5)) {
      std::copy_n(cache_.begin() + at, kBlock, platter_.begin() + at);
    } else {
      std::copy_n(platter_.begin() + at, kBlock, cache_.begin() + at);
    }
  }
  if (final_name_ && !is_whole(cache_))
    clockwork_.fail(node_, "after a power cut the final name stands over other bytes");
}

}  // namespace peernet::sim
