#include "peernet/link.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace peernet {
namespace {

Link sample_link(std::uint64_t seed = 1) {
  Rng rng(seed);
  Link link;
  link.swarm_key.emplace();
  for (std::byte& b : link.content_id) b = static_cast<std::byte>(rng.next());
  for (std::byte& b : *link.swarm_key) b = static_cast<std::byte>(rng.next());
  for (std::byte& b : link.publisher_id) b = static_cast<std::byte>(rng.next());
  link.trackers = {"tracker.example.org:6969", "[2001:db8::1]:443"};
  link.peers = {"192.0.2.7:51000", "[fe80::1%eth0]:9"};
  link.name = "debian-12.iso";
  return link;
}

TEST(Link, ComesBackAsItWas) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Link link = sample_link(seed);
    Rng rng(seed);
    if (rng.chance(0.5)) link.swarm_key.reset();
    if (rng.chance(0.3)) link.trackers.clear();
    if (rng.chance(0.3)) link.peers.clear();
    link.name.clear();
    for (std::uint64_t n = 1 + rng.below(255); n > 0; --n) link.name += static_cast<char>(1 + rng.below(255));
    EXPECT_EQ(parse_link(format_link(link)).value(), link);
    EXPECT_EQ(parse_link("  \n" + format_link(link) + "\r\n").value(), link);
  }
}

TEST(Link, HasOnlyCharactersThatAShellLeavesAlone) {
  Link link = sample_link();
  link.name = "a b'\"$`\\*?[]{}();&|<>!#\n\t~é";
  const std::string text = format_link(link);
  EXPECT_EQ(text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/=,%"),
            std::string::npos)
      << text;
  EXPECT_EQ(parse_link(text).value(), link);
}

TEST(Link, HasTheDocumentedForm) {
  Link link;
  link.content_id.fill(std::byte{0xff});
  link.publisher_id.fill(std::byte{0});
  link.trackers = {"t.example:1"};
  link.peers = {"[::1]:65535"};
  link.name = "x y";
  EXPECT_EQ(format_link(link), "peernet:" + std::string(42, '_') + "8.." + std::string(43, 'A') +
                                   "/t=t.example:1,p=%5B::1%5D:65535/x%20y");
}

TEST(Link, EveryCutIsNoticedUpToTheName) {
  const std::string text = format_link(sample_link());
  const std::size_t name = text.rfind('/') + 1;
  for (std::size_t n = 0; n <= name; ++n) EXPECT_FALSE(parse_link(text.substr(0, n))) << n;
}

TEST(Link, SaysInOneSentenceWhatIsWrong) {
  const std::string id(43, 'A');
  const auto reason = [](const std::string& text) {
    const auto parsed = parse_link(text);
    return parsed ? std::string() : parsed.error();
  };
  EXPECT_EQ(reason(""), "the link is empty");
  EXPECT_EQ(reason("http://x"), "a link starts with \"peernet:\"");
  EXPECT_EQ(reason("PEERNET:" + id), "a link starts with \"peernet:\"");
  EXPECT_NE(reason("peernet:" + id + ".." + id + "//na me").find("character"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + "." + id + "//x").find("separated by dots"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + "A.." + id + "//x").find("content id"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".AAA." + id + "//x").find("swarm key"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id.substr(1) + "B//x").find("publisher id"), std::string::npos)
      << "spare bits of the last character";
  EXPECT_NE(reason("peernet:" + id + ".." + id + "/x=a:1/x").find("\"t=\""), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "/p=a:1,/x").find("comma"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "/p=a/x").find("host:port"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "/p=a:1/").find("name"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "//a/b").find("name"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "//%0").find("percent"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "//%zz").find("percent"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "//a%00b").find("NUL"), std::string::npos);
  EXPECT_NE(reason("peernet:" + id + ".." + id + "//" + std::string(256, 'n')).find("255"), std::string::npos);
  EXPECT_NE(reason("peernet:" + std::string(kMaxLinkBytes, 'A')).find("longer"), std::string::npos);
  std::string many = "peernet:" + id + ".." + id + "/p=a:1";
  for (std::size_t i = 0; i < kMaxLinkAddresses; ++i) many += ",p=a:1";
  EXPECT_NE(reason(many + "/x").find("64"), std::string::npos);
  EXPECT_EQ(reason("peernet:" + id + ".." + id + "//x"), "");
}

TEST(Link, NeverRepeatsTheKey) {
  const Link link = sample_link();
  const std::string text = format_link(link);
  const std::string key = text.substr(8 + 44, 43);
  EXPECT_EQ(redact_link(link).find(key), std::string::npos);
  EXPECT_NE(redact_link(link).find("***"), std::string::npos);
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto parsed = parse_link(text.substr(0, n) + '%');
    EXPECT_TRUE(parsed || parsed.error().find(key) == std::string::npos);
  }
}

TEST(Link, AddressesAreHostAndPort) {
  for (const char* good : {"a:1", "example.org:65535", "10.0.0.1:80", "[::]:1", "[2001:db8::7]:443", "[fe80::1%eth0]:5",
                           "my_host-2:7", "[::ffff:10.0.0.1]:8"})
    EXPECT_TRUE(valid_link_address(good)) << good;
  for (const char* bad :
       {"",       ":",     "a",    "a:",     ":1",       "a:0",  "a:65536", "a:01",  "a:1x",  "a b:1",  "[::1]",
        "[::1:1", "::1:1", "[]:1", "[zz]:1", "[::1%]:1", "-a:1", ".a:1",    "a/b:1", "a,b:1", "[1:2]:3"})
    EXPECT_FALSE(valid_link_address(bad)) << bad;
}

}  // namespace
}  // namespace peernet
