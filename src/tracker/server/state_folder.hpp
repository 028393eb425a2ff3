// The folder of one tracker: its lock, its snapshot, its admin socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "tracker/server/descriptor.hpp"
#include "tracker/server/failure.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker::server {

struct RestoredSnapshot {
  std::uint64_t peers = 0;   ///< that live on
  std::uint64_t dead = 0;    ///< that have been silent for too long by now, or that a limit keeps out
  std::uint64_t second = 0;  ///< when it was made (Unix time); 0: there was none
  std::string trouble;       ///< one sentence, if a file was there and could not be used
};

class StateFolder {
 public:
  /// Makes the folder (0700, parents too) if it is missing, and takes its lock: one tracker a folder.
  static Outcome<StateFolder> open(const std::string& path);

  std::string snapshot_path() const { return path_ + "/snapshot"; }
  std::string socket_path() const { return path_ + "/admin.sock"; }

  /// Puts what the snapshot holds into the core, older by the time since then. What is damaged is moved aside
  /// ("snapshot.damaged") and not believed.
  RestoredSnapshot restore(TrackerCore& core) const;

  /// How a snapshot is paced: called between slices of the walk, false to give up.
  using Pace = std::function<bool(Duration slice)>;
  /// Writes a snapshot under another name and renames it when it is on the disk. The core is visited slice by slice;
  /// nothing is written while it is locked.
  Outcome<void> write(const TrackerCore& core, const Pace& pace) const;

 private:
  std::string path_;
  Descriptor lock_;
};

}  // namespace peernet::tracker::server
