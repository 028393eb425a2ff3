// What embed.py puts into the program: the style of a page and the script that draws its charts.
#pragma once

#include <string_view>
#include <vector>

namespace peernet::bench::page_parts {

// In pieces, because compilers need not take long literals; to be written one after the other.
extern const std::vector<std::string_view> kStyle;
extern const std::vector<std::string_view> kScript;  ///< empty: a build without charts
extern const std::string_view kScriptDigest;         ///< SHA-256 in Base64, as a Content-Security-Policy names it

}  // namespace peernet::bench::page_parts
