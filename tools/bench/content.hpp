// The file or folder that a contest moves, and where it is made.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "contest.hpp"
#include "mode.hpp"

namespace peernet::bench {

/// Many files instead of one; count 0: one.
struct FileCount {
  unsigned count = 0;
  std::uint64_t bytes = 0;  ///< of each
};

/// "10000,4KiB"; for ModeParser::word().
std::function<std::string(const std::string&)> file_count_word(FileCount& into);

/// A scratch folder with random content in it, in the page cache and on disk.
struct Content {
  Scratch scratch;
  Job job;
  std::string file_system;  ///< "tmpfs", "ext4"; empty: not known
};

/// Folders go to /dev/shm, if there is room and nothing else is wanted: other file systems take revenge for deleting
/// thousands of files. Fails if there is no room, or when interrupted.
Outcome<Content> make_content(const CommonOptions& options, const FileCount& files, const std::string& peernet);

/// The memory to keep backed for it: options.keeper_gib, more for large content, none if that is 0.
double keeper_gib_for(const CommonOptions& options, std::uint64_t bytes);

/// A result with everything but rows, figures, title and noise.
Result begin_result(const std::string& mode, std::span<const std::string> words, const CommonOptions& options,
                    const Content& content);

/// "200 MB", "10000 files of 4 KiB".
std::string describe(const Job& job, const FileCount& files);

/// Programs speak English, and are found where Debian keeps servers; proxies are for the internet.
void prepare_environment();

}  // namespace peernet::bench
