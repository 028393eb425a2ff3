// The page that peernet-bench writes with --html.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace peernet::bench {

/// One HTML document that needs nothing else and asks no address for anything. `result` is what --json writes; what is
/// missing in it or has another type is left out. Every string in it is shown as text, whatever it holds.
/// A build without the option bench_page makes it without charts, and the page says so.
std::string page_of(const nlohmann::json& result);

/// Whether this build draws charts.
bool page_has_charts();

}  // namespace peernet::bench
