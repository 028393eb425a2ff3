// The peers of one kind in one swarm: linear hashing (Litwin, "Linear hashing: a new tool for file and table
// addressing", VLDB 1980) of small dense buckets by a keyed hash of the peer's address. The table grows and shrinks by
// one bucket at a time, so that no announce ever pays for a million others; dense buckets waste little memory and give
// replies whole cache lines of peers.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "base/check.hpp"

namespace peernet::tracker {

/// Record: trivially copyable; same_peer(), in_front(), kPerBucket (mean records of a bucket). In each bucket the
/// records with in_front() (seeders, complete nodes) come first. 24 bytes and no allocation while empty; pointers to
/// records are good until the next change of the set. Not for several threads.
template <class Record>
class PeerSet {
  static_assert(std::is_trivially_copyable_v<Record>);

 public:
  PeerSet() = default;
  PeerSet(PeerSet&& other) noexcept
      : first_(std::exchange(other.first_, {})), rest_(std::exchange(other.rest_, nullptr)) {}
  PeerSet& operator=(PeerSet&& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(rest_, other.rest_);
    return *this;
  }
  ~PeerSet() {
    for (std::uint32_t i = 0; i < bucket_count(); ++i) release(bucket(i));
    if (rest_ == nullptr) return;
    for (std::uint32_t s = kNearRounds; s < rest_->rounds; ++s) ::operator delete(rest_->far()[s - kNearRounds]);
    ::operator delete(rest_);
  }

  std::uint32_t size() const { return rest_ ? rest_->size : first_.size; }
  /// How many of them are in_front().
  std::uint32_t front() const { return rest_ ? rest_->front : first_.front; }
  bool empty() const { return size() == 0; }
  std::uint32_t bucket_count() const { return rest_ ? rest_->buckets : 1; }

  std::span<const Record> records(std::uint32_t i) const {
    const Bucket& b = bucket(i);
    return {b.records, b.size};
  }
  std::uint32_t front_of(std::uint32_t i) const { return bucket(i).front; }

  Record* find(const Record& like, std::uint32_t hash) {
    Bucket& b = bucket(index_of(hash));
    for (Record* r = b.records; r != b.records + b.size; ++r)
      if (r->same_peer(like)) return r;
    return nullptr;
  }

  // For lookups in stages: ask memory for what find() will read next, each stage when the one before has arrived.
  void prefetch_rest() const {
    if (rest_ != nullptr) __builtin_prefetch(rest_);
  }
  void prefetch_bucket(std::uint32_t hash) const {
    if (rest_ != nullptr) __builtin_prefetch(&bucket(index_of(hash)));
  }
  void prefetch_records(std::uint32_t hash) const {
    const Bucket& b = bucket(index_of(hash));
    prefetch(b, 0, b.size);
  }
  void prefetch_bucket_number(std::uint32_t i) const { __builtin_prefetch(&bucket(i)); }
  /// Some of its records, at most four cache lines.
  void prefetch_piece(std::uint32_t i, std::uint32_t from, std::uint32_t count) const {
    prefetch(bucket(i), from, count);
  }

  /// Adds a peer that is not there. hasher(record) as for `hash`.
  template <class Hasher>
  void insert(const Record& record, std::uint32_t hash, const Hasher& hasher) {
    put(bucket(index_of(hash)), record);
    if (rest_) {
      ++rest_->size;
      rest_->front += record.in_front();
    }
    if (size() > std::uint64_t{bucket_count()} * Record::kPerBucket) split(hasher);
  }

  /// Writes a new state of the same peer over the old one.
  void replace(Record* old, std::uint32_t hash, const Record& record) {
    Bucket& b = bucket(index_of(hash));
    if (old->in_front() == record.in_front()) {
      *old = record;
      return;
    }
    // Across the border between the two parts: the border moves by one, and the record there changes places.
    if (record.in_front()) {
      *old = b.records[b.front];
      b.records[b.front++] = record;
    } else {
      *old = b.records[--b.front];
      b.records[b.front] = record;
    }
    if (rest_) rest_->front += record.in_front() ? 1u : ~0u;
  }

  void remove(Record* record, std::uint32_t hash) {
    Bucket& b = bucket(index_of(hash));
    take_out(b, static_cast<std::uint32_t>(record - b.records));
    trim(b);
    shrink();
  }

  /// Removes what dead(record) says from one bucket.
  template <class Dead>
  void remove_dead(std::uint32_t i, const Dead& dead) {
    Bucket& b = bucket(i);
    const std::uint32_t before = b.size;
    for (std::uint32_t at = b.size; at-- > 0;)
      if (dead(std::as_const(b.records[at]))) take_out(b, at);
    if (b.size == before) return;
    const std::uint32_t removed = before - b.size;
    trim(b);
    for (std::uint32_t n = 0; n < removed; ++n) shrink();
  }

  // A walk that no growing or shrinking can upset goes by the bits of the hash, lowest first: a bucket is a range of
  // that order whatever the number of buckets, and a peer never changes its place in it.

  static std::uint32_t place_of(std::uint32_t hash) {
    hash = ((hash >> 1) & 0x55555555u) | ((hash & 0x55555555u) << 1);
    hash = ((hash >> 2) & 0x33333333u) | ((hash & 0x33333333u) << 2);
    hash = ((hash >> 4) & 0x0f0f0f0fu) | ((hash & 0x0f0f0f0fu) << 4);
    return std::byteswap(hash);
  }
  std::uint32_t bucket_at(std::uint32_t place) const { return index_of(place_of(place)); }
  /// The first place behind a bucket; 0: it was the last.
  std::uint32_t end_of(std::uint32_t i) const {
    const std::uint32_t buckets = bucket_count();
    if (buckets == 1) return 0;
    const std::uint32_t base = std::bit_floor(buckets);
    const bool split = i >= base || i < buckets - base;
    const int bits = std::countr_zero(base) + (split ? 1 : 0);
    return place_of(i) + (std::uint32_t{1} << (32 - bits));
  }

  template <class Hasher>
  void check_invariants(const Hasher& hasher) const {
    std::uint32_t size = 0;
    std::uint32_t front = 0;
    for (std::uint32_t i = 0; i < bucket_count(); ++i) {
      const Bucket& b = bucket(i);
      PN_CHECK(b.size <= b.capacity && b.front <= b.size && (b.capacity == 0) == (b.records == nullptr));
      for (std::uint32_t at = 0; at < b.size; ++at) {
        PN_CHECK(b.records[at].in_front() == (at < b.front));
        PN_CHECK(index_of(hasher(b.records[at])) == i);
      }
      size += b.size;
      front += b.front;
    }
    PN_CHECK(size == this->size() && front == this->front());
  }

 private:
  struct Bucket {
    Record* records = nullptr;  // owned; a plain block, so that 16 bytes are enough
    std::uint16_t size = 0;
    std::uint16_t capacity = 0;
    std::uint16_t front = 0;
  };
  static_assert(sizeof(Bucket) == 16);

  /// Buckets 1 and on: round r of doubling adds the 2^r buckets from 2^r on. Those of the first rounds stand in this
  /// very block (a lookup costs one cache and page miss, and no more), those of later ones in segments that never move.
  static constexpr std::uint32_t kNearRounds = 6;
  struct Rest {
    std::uint32_t buckets = 1;  // bucket 0 counted too
    std::uint32_t size = 0;
    std::uint32_t front = 0;
    std::uint32_t rounds = 0;  // there is room for 2^rounds buckets
    // Behind this: the near buckets but bucket 0, then pointers to the far segments; all owned. Raw, because a bucket
    // is constructed when it comes into use.
    Bucket* near() { return reinterpret_cast<Bucket*>(this + 1) - 1; }
    Bucket** far() { return reinterpret_cast<Bucket**>(near() + near_count(rounds)); }
  };
  static_assert(std::is_trivially_copyable_v<Rest> && sizeof(Rest) == sizeof(Bucket));

  static std::size_t near_count(std::uint32_t rounds) { return std::size_t{1} << std::min(rounds, kNearRounds); }
  static std::size_t bytes_of(std::uint32_t rounds) {
    const std::uint32_t far = rounds - std::min(rounds, kNearRounds);
    return near_count(rounds) * sizeof(Bucket) + far * sizeof(Bucket*);
  }
  void set_rounds(std::uint32_t rounds) {
    auto* block = static_cast<Rest*>(::operator new(bytes_of(rounds)));
    std::memcpy(static_cast<void*>(block), rest_, std::min(bytes_of(rounds), bytes_of(rest_->rounds)));
    block->rounds = rounds;
    ::operator delete(std::exchange(rest_, block));
  }
  void begin_rest() {
    rest_ = ::new (::operator new(bytes_of(0))) Rest{.buckets = 1, .size = first_.size, .front = first_.front};
  }
  void add_round() {
    const std::uint32_t round = rest_->rounds;
    set_rounds(round + 1);
    if (round >= kNearRounds)
      rest_->far()[round - kNearRounds] =
          static_cast<Bucket*>(::operator new((std::size_t{1} << round) * sizeof(Bucket)));
  }
  void drop_round() {
    const std::uint32_t round = rest_->rounds - 1;
    if (round >= kNearRounds) ::operator delete(rest_->far()[round - kNearRounds]);
    set_rounds(round);
  }

  static constexpr std::uint32_t kStep = std::max<std::uint32_t>(16 / sizeof(Record), 1);  // 16: malloc's grain
  static std::uint32_t slack(std::uint32_t size) { return std::max(kStep, size / 8); }

  Bucket& bucket(std::uint32_t i) {
    if (i == 0) return first_;
    if (i >> kNearRounds == 0) return rest_->near()[i];
    const auto round = static_cast<std::uint32_t>(std::bit_width(i)) - 1;
    return rest_->far()[round - kNearRounds][i - (std::uint32_t{1} << round)];
  }
  const Bucket& bucket(std::uint32_t i) const { return const_cast<PeerSet*>(this)->bucket(i); }

  std::uint32_t index_of(std::uint32_t hash) const {
    const std::uint32_t buckets = bucket_count();
    const std::uint32_t base = std::bit_floor(buckets);
    const std::uint32_t i = hash & (2 * base - 1);
    return i < buckets ? i : i - base;
  }

  static void prefetch(const Bucket& b, std::uint32_t from, std::uint32_t count) {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kLines = 4;
    const char* at = reinterpret_cast<const char*>(b.records + from);
    const std::size_t lines = std::min((count * sizeof(Record) + kLine - 1) / kLine, kLines);
    for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(at + i * kLine);
  }

  static constexpr std::align_val_t kAlign{std::max(alignof(Record), std::size_t{__STDCPP_DEFAULT_NEW_ALIGNMENT__})};
  static void free_records(Record* records) {
    if constexpr (alignof(Record) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      ::operator delete(records, kAlign);
    } else {
      ::operator delete(records);
    }
  }
  static Record* allocate(std::size_t count) {
    if constexpr (alignof(Record) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      return static_cast<Record*>(::operator new(count * sizeof(Record), kAlign));
    } else {
      return static_cast<Record*>(::operator new(count * sizeof(Record)));
    }
  }
  static void release(Bucket& b) {
    free_records(b.records);
    b = {};
  }
  static void move_to(Bucket& b, std::uint32_t capacity) {
    PN_CHECK(capacity >= b.size && capacity <= UINT16_MAX);
    Record* records = allocate(capacity);
    if (b.size != 0) std::memcpy(static_cast<void*>(records), b.records, b.size * sizeof(Record));
    free_records(b.records);
    b.records = records;
    b.capacity = static_cast<std::uint16_t>(capacity);
  }
  static void put(Bucket& b, const Record& record) {
    if (b.size == b.capacity) move_to(b, b.size + slack(b.size));
    Record* at = b.records + b.size++;
    if (record.in_front()) {
      *at = b.records[b.front];
      at = b.records + b.front++;
    }
    *at = record;
  }
  /// Fills the hole from the end of its part, and that one from the end of the bucket.
  void take_out(Bucket& b, std::uint32_t at) {
    if (at < b.front) {
      b.records[at] = b.records[--b.front];
      at = b.front;
      if (rest_) --rest_->front;
    }
    b.records[at] = b.records[--b.size];
    if (rest_) --rest_->size;
  }
  static void trim(Bucket& b) {
    if (b.size == 0) {
      release(b);
    } else if (b.capacity > b.size + b.size / 2u + 2 * kStep) {
      move_to(b, b.size + slack(b.size));
    }
  }

  template <class Hasher>
  void split(const Hasher& hasher) {
    if (rest_ == nullptr) begin_rest();
    const std::uint32_t added = rest_->buckets;
    const std::uint32_t base = std::bit_floor(added);
    if (added == base) add_round();
    ++rest_->buckets;
    Bucket& from = bucket(added - base);
    Bucket& to = bucket(added);
    ::new (&to) Bucket;
    // Built anew rather than swapped about: both parts keep their order and their size fits.
    Bucket old = std::exchange(from, {});
    for (std::uint32_t at = 0; at < old.size; ++at) {
      const Record& r = old.records[at];
      put(index_of(hasher(r)) == added ? to : from, r);
    }
    release(old);
  }

  /// One bucket less if even then they would be half empty in the mean: far enough from where split() acts not to
  /// flutter.
  void shrink() {
    if (!rest_) return;
    const std::uint32_t last = rest_->buckets - 1;
    if (std::uint64_t{rest_->size} * 2 >= std::uint64_t{last} * Record::kPerBucket) return;
    const std::uint32_t base = std::bit_floor(last);
    Bucket& from = bucket(last);
    Bucket& to = bucket(last - base);
    for (std::uint32_t at = 0; at < from.size; ++at) put(to, from.records[at]);
    release(from);
    --rest_->buckets;
    if (last == base) drop_round();
    if (rest_->buckets > 1) return;
    ::operator delete(rest_);
    rest_ = nullptr;
  }

  Bucket first_;
  Rest* rest_ = nullptr;  // owned; none while one bucket is enough
};

}  // namespace peernet::tracker
