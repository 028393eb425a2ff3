#include "page_mode.hpp"

#include <cstdio>
#include <string>
#include <vector>

#include "mode.hpp"
#include "mode_parser.hpp"
#include "page.hpp"
#include "result.hpp"

namespace peernet::bench {
namespace {

constexpr const char* kHelp = R"(usage: peernet-bench page RESULT.json -o FILE

Writes the page that --html writes, of a result that was written with --json. The page needs nothing beside it.

  -o, --output FILE    the page; an existing file is replaced
)";

}  // namespace

int run_page(std::span<const std::string> words) {
  std::vector<std::string> results;
  std::string output;
  ModeParser parser("page");
  parser.positionals(results, "RESULT.json", 1, 1);
  parser.text("-o,--output", output);
  const auto parsed = parser.parse(words);
  if (!parsed) return complain("page", parsed.error(), kUsage);
  if (!*parsed) return std::fputs(kHelp, stdout) < 0 ? kFailed : kOk;
  if (output.empty()) return complain("page", "-o says which file to write", kUsage);
  const auto result = read_result(results.front());
  if (!result) return complain("page", result.error());
  return write_file(output, page_of(*result), "page") ? kOk : kFailed;
}

}  // namespace peernet::bench
