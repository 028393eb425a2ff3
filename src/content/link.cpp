#include "peernet/link.hpp"

#include <charconv>
#include <cstdint>

#include "base/check.hpp"

namespace peernet {
namespace {

using Id = std::array<std::byte, 32>;

constexpr std::string_view kScheme = "peernet:";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kIdCharacters = 43;  // 32 bytes in base64url without padding (RFC 4648 section 5)

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_unreserved(char c) {
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string encode_id(const Id& id) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const std::byte b : id) {
    bits = (bits << 8) | std::to_integer<std::uint32_t>(b);
    for (held += 8; held >= 6; held -= 6) out += kAlphabet[(bits >> (held - 6)) & 63U];
  }
  out += kAlphabet[(bits << (6 - held)) & 63U];
  return out;
}

std::optional<Id> decode_id(std::string_view text) {
  if (text.size() != kIdCharacters) return std::nullopt;
  Id out{};
  std::size_t at = 0;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = static_cast<std::byte>(bits >> held);
    }
  }
  // The last character has two spare bits; only zero there, or one id would have four spellings.
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return out;
}

std::string percent_encode(std::string_view text, bool keep_colon) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c) || (keep_colon && c == ':')) {
      out += c;
      continue;
    }
    const auto u = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[u >> 4];
    out += kHex[u & 15U];
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

bool valid_port(std::string_view text) {
  unsigned port = 0;
  if (text.empty() || text.size() > 5 || text.front() < '1' || text.front() > '9') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port <= 65535;
}

bool valid_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    const std::string_view scope = text.substr(percent + 1);
    if (scope.empty() || scope.size() > 32) return false;
    for (const char c : scope)
      if (!is_unreserved(c)) return false;
    text = text.substr(0, percent);
  }
  if (text.size() < 2 || text.size() > 45) return false;
  std::size_t colons = 0;
  for (const char c : text) {
    if (c == ':') ++colons;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!hex && c != ':' && c != '.') return false;
  }
  return colons >= 2 && colons <= 8;
}

bool valid_host(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '-' || text.front() == '.') return false;
  for (const char c : text)
    if (!is_alnum(c) && c != '-' && c != '.' && c != '_') return false;
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

using Fault = std::optional<std::string>;

Fault parse_ids(std::string_view text, Link& link) {
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos)
    return "after \"peernet:\" a link has the content id, the swarm key and the publisher id, separated by dots";
  const std::optional<Id> content = decode_id(text.substr(0, first));
  if (!content) return "the link's content id is not 43 characters of base64url; was it cut or retyped?";
  const std::string_view key_text = text.substr(first + 1, second - first - 1);
  const std::optional<Id> key = decode_id(key_text);
  if (!key && !key_text.empty())
    return "the link's swarm key is not 43 characters of base64url; was it cut or retyped?";
  const std::optional<Id> publisher = decode_id(text.substr(second + 1));
  if (!publisher) return "the link's publisher id is not 43 characters of base64url; was it cut or retyped?";
  link.content_id = *content;
  link.swarm_key = key;
  link.publisher_id = *publisher;
  return std::nullopt;
}

Fault parse_addresses(std::string_view text, Link& link) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    if (comma != std::string_view::npos && comma + 1 == text.size()) return "the link's address list ends with a comma";
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const bool tracker = item.starts_with("t=");
    if (!tracker && !item.starts_with("p="))
      return "each address in a link starts with \"t=\" (a tracker) or \"p=\" (a node)";
    const std::optional<std::string> address = percent_decode(item.substr(2));
    if (!address || !valid_link_address(*address))
      return "the link has an address that is not host:port (IPv6 in brackets, port 1 to 65535)";
    if (link.trackers.size() + link.peers.size() == kMaxLinkAddresses) return "the link has more than 64 addresses";
    (tracker ? link.trackers : link.peers).push_back(*address);
  }
  return std::nullopt;
}

Fault parse_name(std::string_view text, Link& link) {
  for (const char c : text)
    if (!is_unreserved(c) && c != '%') return "the link's name has a character that should be percent-encoded";
  const std::optional<std::string> name = percent_decode(text);
  if (!name) return "the link's name has a broken percent escape";
  if (name->empty()) return "the link ends before the content's name; was it cut?";
  if (name->size() > kMaxLinkNameBytes) return "the link's name is longer than 255 bytes";
  if (name->find('\0') != std::string::npos) return "the link's name contains a NUL byte";
  link.name = *name;
  return std::nullopt;
}

bool allowed(char c) {
  return is_unreserved(c) || c == ':' || c == '/' || c == '=' || c == ',' || c == '%';
}

}  // namespace

bool valid_link_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !valid_port(text.substr(colon + 1))) return false;
  const std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') return valid_ipv6(host.substr(1, host.size() - 2));
  return valid_host(host);
}

std::expected<Link, std::string> parse_link(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return std::unexpected("the link is empty");
  if (text.size() > kMaxLinkBytes) return std::unexpected("the link is longer than 16384 characters");
  if (!text.starts_with(kScheme)) return std::unexpected("a link starts with \"peernet:\"");
  for (const char c : text)
    if (!allowed(c))
      return std::unexpected("the link has a character that no link contains; is it pasted whole and alone?");
  text.remove_prefix(kScheme.size());
  const std::size_t first = text.find('/');
  const std::size_t second = first == std::string_view::npos ? first : text.find('/', first + 1);
  if (second == std::string_view::npos) return std::unexpected("the link ends before the content's name; was it cut?");
  Link link;
  if (const Fault fault = parse_ids(text.substr(0, first), link)) return std::unexpected(*fault);
  if (const Fault fault = parse_addresses(text.substr(first + 1, second - first - 1), link))
    return std::unexpected(*fault);
  if (const Fault fault = parse_name(text.substr(second + 1), link)) return std::unexpected(*fault);
  return link;
}

std::string format_link(const Link& link) {
  std::string out(kScheme);
  out += encode_id(link.content_id) + '.';
  if (link.swarm_key) out += encode_id(*link.swarm_key);
  out += '.' + encode_id(link.publisher_id) + '/';
  PN_CHECK(link.trackers.size() + link.peers.size() <= kMaxLinkAddresses);
  std::string_view separator = "";
  const auto add = [&](std::string_view prefix, const std::string& address) {
    PN_CHECK(valid_link_address(address));
    out += separator;
    out += prefix;
    out += percent_encode(address, true);
    separator = ",";
  };
  for (const std::string& tracker : link.trackers) add("t=", tracker);
  for (const std::string& peer : link.peers) add("p=", peer);
  PN_CHECK(!link.name.empty() && link.name.size() <= kMaxLinkNameBytes && link.name.find('\0') == std::string::npos);
  return out + '/' + percent_encode(link.name, false);
}

std::string redact_link(const Link& link) {
  const std::string whole = format_link(link);
  if (!link.swarm_key) return whole;
  return whole.substr(0, kScheme.size() + kIdCharacters + 1) + "***" +
         whole.substr(kScheme.size() + 2 * kIdCharacters + 1);
}

}  // namespace peernet
