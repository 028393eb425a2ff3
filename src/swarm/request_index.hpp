// Which upload a request id belongs to: a hash table of fixed size, because every packet that is acknowledged or lost
// asks it. Ids are the other side's choice; the worst it can make of them is a search through all of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/check.hpp"
#include "base/types.hpp"

namespace peernet::swarm {

/// At most kMostIds ids. Memory is taken with the first one: most sessions of a node never ask it for anything.
class RequestIndex {
 public:
  static constexpr std::size_t kMostIds = 256;

  std::optional<std::uint16_t> find(RequestId id) const {
    if (size_ == 0) return std::nullopt;
    for (std::size_t i = home(id);; i = (i + 1) & kMask) {
      if (entries_[i].upload == kEmpty) return std::nullopt;
      if (entries_[i].id == id) return entries_[i].upload;
    }
  }

  /// The id must not be there yet.
  void insert(RequestId id, std::uint16_t upload) {
    PN_CHECK(size_ < kMostIds && upload != kEmpty);
    if (entries_.empty()) entries_.resize(kEntries);
    std::size_t i = home(id);
    while (entries_[i].upload != kEmpty) {
      PN_CHECK(entries_[i].id != id);
      i = (i + 1) & kMask;
    }
    entries_[i] = {id, upload};
    ++size_;
  }

  /// The id must be there. Later entries of its run move up, so that no marks of the deleted are needed.
  void erase(RequestId id) {
    PN_CHECK(size_ > 0);
    std::size_t hole = home(id);
    while (entries_[hole].upload == kEmpty || entries_[hole].id != id) {
      PN_CHECK(entries_[hole].upload != kEmpty);
      hole = (hole + 1) & kMask;
    }
    for (std::size_t i = (hole + 1) & kMask; entries_[i].upload != kEmpty; i = (i + 1) & kMask) {
      const std::size_t from_home = (i - home(entries_[i].id)) & kMask;
      if (from_home < ((i - hole) & kMask)) continue;  // it would leave its run
      entries_[hole] = entries_[i];
      hole = i;
    }
    entries_[hole] = {};
    --size_;
  }

  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint16_t kEmpty = 0xffff;
  static constexpr unsigned kBits = 9;
  static constexpr std::size_t kEntries = std::size_t{1} << kBits;
  static constexpr std::size_t kMask = kEntries - 1;
  static_assert(kMostIds <= kEntries / 2);

  struct Entry {
    RequestId id;
    std::uint16_t upload = kEmpty;
  };

  static std::size_t home(RequestId id) { return (id.value() * 0x9e3779b1U) >> (32 - kBits); }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

}  // namespace peernet::swarm
