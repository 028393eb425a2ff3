// The disk of a simulated host and the one file it receives: what a read gives, what is on the platter, what a crash
// leaves. Operations take time, may fail, and after a power cut only what an fsync has covered is certain.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "content/chunk_map.hpp"
#include "sim/swarm_clockwork.hpp"
#include "sim/swarm_content.hpp"
#include "storage/resume.hpp"

namespace peernet::sim {

struct DiskProfile {
  Duration read = 100us;
  Duration write = 200us;
  Duration fsync = 5ms;
  double fail = 0;  ///< chance that an operation ends with EIO
};

class SimDisk {
 public:
  static constexpr std::uint32_t kBlock = 4096;
  using Done = std::function<void(std::int64_t)>;

  SimDisk(Clockwork& clockwork, const SwarmContent& content, std::uint32_t node, std::uint64_t seed);

  DiskProfile profile;
  bool full = false;  ///< writes end with ENOSPC

  // --- operations; done is called later unless the host goes down before

  void write(std::uint64_t offset, ByteSpan bytes, Done done);
  void fsync(Done done);
  void publish(bool sync, Done done);
  void read(std::uint64_t offset, MutableByteSpan into, Done done);
  /// Something that only takes time: open, truncate.
  void chore(Done done) { later(profile.write * 2, std::move(done), 0); }
  /// The state database's part: what an earlier run of the node said is durable.
  void record(const content::ChunkMap& durable);

  bool final_name() const { return final_name_; }
  bool has_part() const { return has_part_; }
  void create_part() { has_part_ = true; }
  const content::ChunkMap* recorded() const { return recorded_ ? &*recorded_ : nullptr; }
  std::vector<storage::Extent> extents() const;
  bool chunk_is_right(ChunkIndex chunk) const { return is_right(cache_, chunk); }

  /// The process dies; with a power cut, everything that no fsync covered may be gone.
  void crash(bool power_cut);

 private:
  struct Write {
    std::uint64_t number = 0;
    std::uint64_t offset = 0;
    ByteSpan bytes;
  };

  void later(Duration takes, Done done, std::int64_t result);
  bool fails();
  void put(std::uint64_t offset, ByteSpan bytes);
  bool is_right(const std::vector<std::byte>& image, ChunkIndex chunk) const;
  bool is_whole(const std::vector<std::byte>& image) const;

  Clockwork& clockwork_;
  const SwarmContent& content_;
  std::uint32_t node_;
  Rng rng_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // a life of the host: what is under way ends with it
  std::vector<std::byte> cache_;                           // what a read gives
  std::vector<std::byte> platter_;                         // what is there after a power cut, at least
  std::vector<bool> has_data_;                             // by block: not a hole
  std::vector<bool> dirty_;                                // by block: the platter may lack it
  std::vector<Write> writes_;                              // under way
  std::uint64_t next_write_ = 1;
  bool has_part_ = false;
  bool final_name_ = false;
  bool publishing_ = false;
  std::optional<content::ChunkMap> recorded_;
};

}  // namespace peernet::sim
