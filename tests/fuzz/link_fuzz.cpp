// Links: what parses formats to a link that parses to the same, and no error sentence repeats the input.
#include <string>

#include "fuzz/fuzz.hpp"
#include "peernet/link.hpp"

using namespace peernet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> bytes = fuzz::Input(data, size).rest();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto link = parse_link(text);
  if (!link) {
    PN_CHECK(!link.error().empty() && link.error().size() < 160);
    return 0;
  }
  PN_CHECK(!link->name.empty() && link->name.size() <= kMaxLinkNameBytes);
  PN_CHECK(link->trackers.size() + link->peers.size() <= kMaxLinkAddresses);
  for (const std::string& address : link->peers) PN_CHECK(valid_link_address(address));
  const std::string formatted = format_link(*link);
  PN_CHECK(formatted.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/=,%") ==
           std::string::npos);
  const auto again = parse_link(formatted);
  // Escapes in front of reserved characters may grow the text beyond the bound; nothing else may change.
  PN_CHECK(again ? *again == *link : formatted.size() > kMaxLinkBytes);
  return 0;
}
