// `peernet-bench page`: the page of a result that was written with --json.
#pragma once

#include <span>
#include <string>

namespace peernet::bench {

/// RESULT.json -o FILE; the exit code.
int run_page(std::span<const std::string> words);

}  // namespace peernet::bench
