// What the admin side answers, without a socket.
#include "tracker/server/api.hpp"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "io/clock.hpp"
#include "tracker/server/key_text.hpp"

namespace peernet::tracker::server {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

SwarmId swarm(std::uint8_t first, std::uint8_t second = 0) {
  SwarmId out{};
  out[0] = std::byte{first};
  out[1] = std::byte{second};
  return out;
}

PeerSummary legacy(std::uint8_t last, bool seeder) {
  PeerSummary out;
  out.legacy = true;
  out.seeder = seeder;
  out.node.address = Address::v4(192, 0, 2, last, 1000);
  return out;
}

PeerSummary node(std::uint8_t last, std::uint8_t flags) {
  PeerSummary out;
  out.node.flags = flags;
  out.node.address = Address::v4(192, 0, 2, last, 2000);
  out.node.rate_kib = 500;
  out.node.chunks = 4;
  out.node.node.fill(std::byte{last});
  out.node.owned.fill(std::byte{(flags & wire::kContentComplete) != 0 ? std::uint8_t{0xff} : std::uint8_t{0xa0}});
  return out;
}

struct Api : testing::Test {
  Page get(const std::string& path, const std::map<std::string, std::string>& parameters = {}) {
    return page_of(view, path, [&](const char* name) {
      const auto at = parameters.find(name);
      return at == parameters.end() ? std::string() : at->second;
    });
  }
  Json json(const std::string& path, const std::map<std::string, std::string>& parameters = {}) {
    const Page page = get(path, parameters);
    EXPECT_EQ(page.status, 200) << page.body;
    return Json::parse(page.body);
  }
  void restore(const SwarmId& id, const PeerSummary& peer) { ASSERT_TRUE(core.restore(io::monotonic_now(), id, peer)); }

  TrackerCore core{CoreOptions{}};
  bool healthy = true;
  Figures now_figures;
  AdminView view{core, [this] { return now_figures; }, [this] { return healthy; }};
};

TEST_F(Api, SwarmsAreListedLargestFirst) {
  restore(swarm(0xaa), legacy(1, true));
  restore(swarm(0xbb), legacy(1, false));
  restore(swarm(0xbb), node(2, wire::kContentServed));
  restore(swarm(0xbb), node(3, wire::kContentComplete));
  const Json all = json("/api/swarms");
  EXPECT_EQ(all["total"], 2);
  EXPECT_EQ(all["truncated"], false);
  ASSERT_EQ(all["swarms"].size(), 2u);
  const Json& first = all["swarms"][0];
  EXPECT_EQ(first["key"], to_hex(swarm(0xbb)));
  EXPECT_EQ(first["nodes_complete"], 1);
  EXPECT_EQ(first["nodes_partial"], 1);
  EXPECT_EQ(first["legacy_seeders"], 0);
  EXPECT_EQ(first["legacy_leechers"], 1);
  const Json one = json("/api/swarms", {{"limit", "1"}});
  EXPECT_EQ(one["swarms"].size(), 1u);
  EXPECT_EQ(one["truncated"], true);
  EXPECT_EQ(json("/api/swarms", {{"prefix", "AA0"}})["swarms"][0]["key"], to_hex(swarm(0xaa)));
  EXPECT_EQ(json("/api/swarms", {{"prefix", "ab"}})["swarms"].size(), 0u);
  EXPECT_EQ(get("/api/swarms", {{"prefix", "xyz"}}).status, 400);
}

TEST_F(Api, ManySwarmsAreAllListedOnce) {
  for (unsigned i = 0; i < 5000; ++i) {
    SwarmId id{};
    id[3] = std::byte{static_cast<std::uint8_t>(i >> 8)};
    id[19] = std::byte{static_cast<std::uint8_t>(i)};
    restore(id, legacy(1, true));
  }
  const Json all = json("/api/swarms", {{"limit", "100000"}});
  std::set<std::string> keys;
  for (const Json& one : all["swarms"]) keys.insert(one["key"].get<std::string>());
  EXPECT_EQ(keys.size(), 5000u);
  EXPECT_EQ(all["swarms"].size(), 5000u);
  const Json some = json("/api/swarms", {{"limit", "10"}});
  EXPECT_EQ(some["swarms"].size(), 10u);
  EXPECT_EQ(some["truncated"], true);
}

TEST_F(Api, PagesOfSwarmsFollowEachOtherAndNoneIsLargerThanTenThousand) {
  for (unsigned i = 0; i < 12'000; ++i) {
    SwarmId id{};
    id[3] = std::byte{static_cast<std::uint8_t>(i >> 8)};
    id[19] = std::byte{static_cast<std::uint8_t>(i)};
    restore(id, legacy(1, true));
    if (i % 3 == 0) restore(id, legacy(2, true));
  }
  const Json largest = json("/api/swarms", {{"limit", "1000000"}});
  EXPECT_EQ(largest["swarms"].size(), 10'000u);
  std::vector<std::string> keys;
  std::string after;
  do {
    const Json page = json("/api/swarms", {{"limit", "5000"}, {"after", after}});
    for (const Json& one : page["swarms"]) keys.push_back(one["key"].get<std::string>());
    EXPECT_EQ(page["truncated"].get<bool>(), page.contains("next"));
    after = page.value("next", "");
  } while (!after.empty() && keys.size() < 20'000);
  EXPECT_EQ(keys.size(), 12'000u);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 12'000u);
  EXPECT_EQ(keys[9'999], largest["swarms"][9'999]["key"].get<std::string>());
  for (const char* bad : {"x", "1", "1-", "-", "1-abcd", "99999999999999999999-"})
    EXPECT_EQ(get("/api/swarms", {{"after", bad}}).status, 400) << bad;
}

TEST_F(Api, PeersAreFoundByKeyOrByTheFrontOfIt) {
  restore(swarm(0xaa, 0x10), node(2, wire::kContentServed));
  restore(swarm(0xaa, 0x20), legacy(1, true));
  const Json peers = json("/api/peers/" + to_hex(swarm(0xaa, 0x10)))["peers"];
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0]["address"], "192.0.2.2:2000");
  EXPECT_EQ(peers[0]["kind"], "node");
  EXPECT_EQ(peers[0]["served"], true);
  EXPECT_EQ(peers[0]["complete"], false);
  EXPECT_EQ(peers[0]["chunks"], 4);
  EXPECT_EQ(peers[0]["rate_kib"], 500);
  EXPECT_EQ(peers[0]["node"], std::string("0202020202020202") + "0202020202020202");
  EXPECT_EQ(json("/api/peers/AA20")["peers"][0]["kind"], "legacy");
  EXPECT_EQ(get("/api/peers/aa1").status, 400);
  EXPECT_EQ(get("/api/peers/aa30").status, 404);
  EXPECT_EQ(get("/api/peers/" + std::string(40, 'f')).status, 404);
  EXPECT_EQ(get("/api/peers/../../etc").status, 400);
  EXPECT_EQ(get("/api/peers/" + std::string(41, 'a')).status, 400);
  restore(swarm(0xaa, 0x21), legacy(1, true));
  EXPECT_EQ(get("/api/peers/aa20").status, 200);
  SwarmId twin = swarm(0xaa, 0x20);
  twin[19] = std::byte{1};
  restore(twin, legacy(1, true));
  EXPECT_EQ(get("/api/peers/aa20").status, 409);
}

TEST_F(Api, HealthIsTold) {
  EXPECT_EQ(get("/healthz").status, 200);
  healthy = false;
  EXPECT_EQ(get("/healthz").status, 503);
}

TEST_F(Api, OtherPagesDoNotExist) {
  for (const char* path : {"", "/index.html", "/api", "/api/swarms/", "/metrics/"})
    EXPECT_EQ(get(path).status, 404) << path;
}

TEST_F(Api, TheStatusPageNeedsNothingFromElsewhere) {
  const Page page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.type, HasSubstr("text/html"));
  for (const char* reference : {"src=", "http:", "https:", "@import", "url("})
    EXPECT_EQ(page.body.find(reference), std::string::npos) << reference;
  EXPECT_THAT(page.body, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_EQ(page.body.find("innerHTML"), std::string::npos);
}

TEST_F(Api, MetricsHoldEveryCounterInTheTextFormat) {
  Counters counters;
  counters.count(Event::kAnnounces, 3);
  counters.count(wire::TrackerRefusal::kPortZero);
  now_figures.add(counters);
  now_figures.add(counters);
  now_figures.snapshot_age_s = 1.5;
  const Page page = get("/metrics");
  EXPECT_THAT(page.type, HasSubstr("version=0.0.4"));
  EXPECT_THAT(page.body, HasSubstr("\npeernet_tracker_announces_total 6\n"));
  EXPECT_THAT(page.body, HasSubstr("\npeernet_tracker_refusals_total{reason=\"port_zero\"} 2\n"));
  EXPECT_THAT(page.body, HasSubstr("\npeernet_tracker_snapshot_age_seconds 1.5\n"));
  for (std::size_t i = 0; i < static_cast<std::size_t>(Event::kCount); ++i)
    EXPECT_THAT(page.body, HasSubstr("\npeernet_tracker_" + std::string(name_of(static_cast<Event>(i))) + "_total "));
  for (std::size_t i = 0; i < static_cast<std::size_t>(wire::TrackerRefusal::kCount); ++i)
    EXPECT_THAT(page.body,
                HasSubstr("{reason=\"" + std::string(wire::name_of(static_cast<wire::TrackerRefusal>(i))) + "\"}"));
  const std::regex help(R"(# HELP [a-z_]+ \S.*\.)");
  const std::regex type(R"(# TYPE [a-z_]+ (counter|gauge))");
  const std::regex sample(R"([a-z_]+(\{[a-z]+="[a-z_0-9]+"\})? [0-9.e+-]+)");
  std::istringstream lines(page.body);
  std::set<std::string> families;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(std::regex_match(line, help) || std::regex_match(line, type) || std::regex_match(line, sample)) << line;
    EXPECT_TRUE(!line.starts_with("# TYPE ") || families.insert(line).second) << line;
  }
  EXPECT_EQ(page.body.back(), '\n');
}

TEST(Hosts, OnlyNumbersAndLocalhostAreAcceptable) {
  for (const char* host :
       {"", "localhost", "localhost:80", "127.0.0.1", "127.0.0.1:6970", "[::1]", "[::1]:6970", "10.1.2.3"})
    EXPECT_TRUE(acceptable_host(host)) << host;
  for (const char* host :
       {"evil.example", "evil.example:6970", "localhost.evil.example", "127.0.0.1.evil.example", "[::1].evil", "a b"})
    EXPECT_FALSE(acceptable_host(host)) << host;
}

TEST(Keys, AreUpTo40HexadecimalDigits) {
  for (const char* text : {"", "g", "0x12", "12 ", "-1"}) EXPECT_FALSE(parse_key(text)) << text;
  EXPECT_FALSE(parse_key(std::string(41, '0')));
  const auto odd = parse_key("AbC");
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->fits(swarm(0xab, 0xcf)));
  EXPECT_FALSE(odd->fits(swarm(0xab, 0xdf)));
  EXPECT_TRUE(KeyPrefix{}.fits(swarm(1)));
  EXPECT_TRUE(parse_key(to_hex(swarm(9, 8)))->whole());
}

}  // namespace
}  // namespace peernet::tracker::server
