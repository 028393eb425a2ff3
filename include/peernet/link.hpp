// The text a user passes on: which content, its secret, who published it and where to ask. A link is a secret.
//
//   peernet:<content id>.<swarm key>.<publisher id>/t=host:port,p=host:port,.../<name>
//
// The 32-byte values are base64url without padding (43 characters); the key is empty in a public swarm. Only letters,
// digits and
// - . _ ~ : / = , % appear, so that a link may be pasted unquoted into a shell; everything else is percent-encoded (RFC
// 3986 2.1).
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peernet {

struct Link {
  std::array<std::byte, 32> content_id{};
  std::optional<std::array<std::byte, 32>> swarm_key;  ///< absent in a public swarm
  std::array<std::byte, 32> publisher_id{};
  std::vector<std::string> trackers;  ///< "host:port", IPv6 as "[address]:port"
  std::vector<std::string> peers;     ///< the same form; nodes to try at once
  std::string name;                   ///< what to call the content; raw bytes, a hint from whoever wrote the link

  friend bool operator==(const Link&, const Link&) = default;
};

inline constexpr std::size_t kMaxLinkBytes = 16384;
inline constexpr std::size_t kMaxLinkAddresses = 64;  ///< trackers and peers together
inline constexpr std::size_t kMaxLinkNameBytes = 255;

/// Strict about everything but surrounding white space and needless percent escapes. The error is one sentence for
/// people and never repeats the key.
std::expected<Link, std::string> parse_link(std::string_view text);

/// The inverse of parse_link. The link's addresses and name must be valid (valid_link_address, 1 to 255 bytes without
/// NUL).
std::string format_link(const Link& link);

/// The same text with the swarm key replaced by "***": for logs and messages.
std::string redact_link(const Link& link);

/// "host:port" with a host name, IPv4 address or bracketed IPv6 address (a scope may follow a %) and a port from 1 to
/// 65535.
bool valid_link_address(std::string_view text);

}  // namespace peernet
