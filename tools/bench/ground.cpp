#include "ground.hpp"

#include <fmt/format.h>

#include <utility>

namespace peernet::bench {

const char* const kCommonHelp = R"(      --size SIZE          of the file (default 200M)
      --runs N             measured rounds, after one that is not counted (default 5)
      --dir DIR            where files are made (default: in memory, /dev/shm, if it has room, else /var/tmp)
      --peernet PROGRAM    what is measured (default: the one beside this program, else the one in PATH)
      --keeper GIB         so much free memory stays backed: many virtual machines hand free pages back to their host,
                           and the first touch of each then hides every difference (default 4; 0: none)
      --json FILE          all values, for "peernet-bench diff"
      --html FILE          a page with charts
  -q, --quiet              no progress on standard error
  -h, --help               this text
)";

std::expected<Ground, Refusal> Ground::prepare(const CommonOptions& options, unsigned copies) {
  const auto refuse = [](std::string sentence, int code = kFailed) {
    return std::unexpected(Refusal{std::move(sentence), interrupted() ? kInterrupted : code});
  };
  auto program = find_peernet(options);
  if (!program) return refuse(program.error(), kUsage);
  auto scratch = Scratch::make(options.folder, options.size * copies, Scratch::Kind::kMemory);
  if (!scratch) return refuse(scratch.error());
  std::string version = output_of({*program, "--version"});
  version.erase(version.find_last_not_of('\n') + 1);
  version.erase(0, version.find(' ') + 1);
  Ground out{.program = *program,
             .version = std::move(version),
             .keeper = std::make_unique<MemoryKeeper>(options.keeper_gib),
             .noise = nullptr,
             .scratch = std::move(*scratch),
             .file = {}};
  out.file = out.scratch.path() + "/random.bin";
  if (auto written = write_random_file(out.file, options.size); !written) return refuse(written.error());
  if (interrupted()) return refuse("interrupted");
  out.noise = std::make_unique<NoiseMeter>();
  return out;
}

void Ground::describe(const CommonOptions& options, Result& result) const {
  result.machine = machine();
  result.versions["peernet"] = version;
  result.noise = noise->verdict();
  result.settings["size_bytes"] = options.size;
  result.settings["runs"] = options.runs;
  result.settings["sync"] = "none";
  result.settings["max_datagram"] = 1500;
}

}  // namespace peernet::bench
