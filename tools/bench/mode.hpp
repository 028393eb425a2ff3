// What all modes share: their words, their scratch folder, and what they leave behind.
#pragma once

#include <cstdint>
#include <string>

#include "outcome.hpp"
#include "result.hpp"

namespace peernet::bench {

constexpr int kOk = 0, kFailed = 1, kUsage = 2, kSlower = 3, kNotPermitted = 4,
              kInterrupted = 130;  ///< exit codes

/// What every mode takes: size, runs, json, html, dir, peernet, keeper, quiet.
struct CommonOptions {
  std::uint64_t size = 200'000'000;  ///< bytes of the file that is moved
  unsigned runs = 5;                 ///< after one that warms caches and is not counted
  std::string json, html;            ///< files to write, empty: none
  std::string folder;                ///< where files are made; empty: /var/tmp, or another place with room
  std::string peernet;               ///< the program; empty: beside this one, else in PATH
  double keeper_gib = 4;             ///< see MemoryKeeper
  bool quiet = false;
};

/// A folder of its own that is removed with everything in it, even if this program is killed.
class Scratch {
 public:
  enum class Kind : std::uint8_t { kDisk, kMemory };
  /// In `parent`, or where there is room for `bytes`: $TMPDIR, /var/tmp, this folder; kMemory: /dev/shm before them if
  /// that leaves the machine as much memory as it takes.
  static Outcome<Scratch> make(const std::string& parent, std::uint64_t bytes, Kind kind = Kind::kDisk);
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();

  const std::string& path() const { return path_; }
  /// A new folder in it.
  std::string folder(const std::string& name);

 private:
  explicit Scratch(std::string path);
  void guard();

  std::string path_;
  int guard_ = -1, leash_ = -1;  // a process that removes the folder when its standard input ends
  unsigned folders_ = 0;
};

/// Fills a new file with random bytes and leaves it in the page cache.
Outcome<bool> write_random_file(const std::string& path, std::uint64_t bytes);
/// Whether both files hold the same bytes.
bool same_bytes(const std::string& one, const std::string& other);

class ModeParser;
void add_common(ModeParser& parser, CommonOptions& into);
/// Of those only runs, json, html and quiet: for modes that move no files.
void add_outputs(ModeParser& parser, CommonOptions& into);

/// The program to measure; fails if it is not there.
Outcome<std::string> find_peernet(const CommonOptions& options);
/// The same for another of ours: as given with `option`, else beside this program, else in PATH.
Outcome<std::string> find_ours(const std::string& name, const std::string& given, const char* option);

/// Replaces a file; complains and returns false if it cannot be written.
bool write_file(const std::string& path, const std::string& text, const std::string& mode);

/// Prints notes and a warning if it was noisy, writes the files that were asked for. The exit code.
int finish(const Result& result, const CommonOptions& options);

/// "peernet-bench MODE: sentence" on standard error; returns `code`.
int complain(const std::string& mode, const std::string& sentence, int code = kFailed);

}  // namespace peernet::bench
