// What stands before the first transfer of a mode: the program, the file, the hosts, and a look at the machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine.hpp"
#include "mode.hpp"
#include "transfer.hpp"

namespace peernet::bench {

/// Why a mode does not even start: a sentence and the exit code.
struct Refusal {
  std::string sentence;
  int code = kFailed;
};

struct Ground {
  std::string program, version;  ///< of peernet
  std::unique_ptr<MemoryKeeper> keeper;
  std::unique_ptr<NoiseMeter> noise;
  Scratch scratch;
  std::string file;  ///< CommonOptions::size random bytes

  /// `copies`: how many files of that size there are at once, the source included.
  static std::expected<Ground, Refusal> prepare(const CommonOptions& options, unsigned copies);
  /// Machine, versions, noise so far and the settings that all modes have.
  void describe(const CommonOptions& options, Result& result) const;
};

/// The help of the options in CommonOptions, aligned as kHelp texts are.
extern const char* const kCommonHelp;

}  // namespace peernet::bench
