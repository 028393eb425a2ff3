#include "cli/arguments.hpp"
#include "peernet/link.hpp"

namespace peernet::cli {

std::string tracker_address(std::string_view text) {
  constexpr std::string_view kScheme = "udp://";
  constexpr std::string_view kDefaultPort = ":6969";  // what public trackers use, too
  if (text.starts_with(kScheme)) {
    text.remove_prefix(kScheme.size());
    text = text.substr(0, text.find('/'));  // "/announce" says nothing over UDP
  }
  std::string out(text);
  if (valid_link_address(out)) return out;
  out += kDefaultPort;
  return valid_link_address(out) ? out : "";
}

}  // namespace peernet::cli
