// What a step of a benchmark yields: a value, or one sentence for the person who runs it.
#pragma once

#include <expected>
#include <string>

namespace peernet::bench {

template <class T>
using Outcome = std::expected<T, std::string>;

}  // namespace peernet::bench
