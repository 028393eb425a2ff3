#include "cli/status_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace peernet::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

SwarmMember member(std::uint32_t chunks, const std::vector<std::uint32_t>& bits) {
  SwarmMember out;
  out.address = "192.0.2.1:7000";
  out.node = std::string(16, '\x0f');
  out.chunks = chunks;
  for (const std::uint32_t bit : bits) out.owned[bit / 8] |= std::byte{0x80} >> (bit % 8);
  out.fraction = static_cast<double>(bits.size()) / std::min(chunks, 128u);
  return out;
}

SwarmMember complete() {
  SwarmMember out = member(300, {});
  out.address = "[2001:db8::1]:7000";
  out.owned.fill(std::byte{0xff});
  out.complete = out.served = true;
  out.fraction = 1;
  out.rate = 5 << 20;
  out.age_seconds = 2;
  return out;
}

TEST(OwnershipBar, ShowsWhichPartsAreThere) {
  EXPECT_EQ(ownership_bar(member(4, {0, 3}), 4), "#..#");
  EXPECT_EQ(ownership_bar(member(4, {0, 3}), 8), "##....##");
  EXPECT_EQ(ownership_bar(member(8, {0, 2, 3, 7}), 4), "+#.+");
  EXPECT_EQ(ownership_bar(member(1, {}), 3), "...");
  EXPECT_EQ(ownership_bar(member(1000, {0, 1, 127}), 64), "#" + std::string(62, '.') + "+");
  EXPECT_EQ(ownership_bar(complete(), 5), "#####");
  EXPECT_EQ(ownership_bar(SwarmMember{}, 2), "..") << "it does not know the content yet";
}

TEST(StatusText, HasALineForEachNodeAndOneOfTotals) {
  SwarmListing listing;
  listing.tracker = "t.example:6969";
  listing.members = {member(4, {0}), complete()};
  const std::string text = status_text(listing);
  EXPECT_LT(text.find("[2001:db8::1]:7000"), text.find("192.0.2.1:7000")) << "those with most come first";
  EXPECT_THAT(text, HasSubstr("100 %"));
  EXPECT_THAT(text, HasSubstr(" 25 %"));
  EXPECT_THAT(text, HasSubstr("5.0 MiB/s"));
  EXPECT_THAT(text, HasSubstr("heard 2s ago\n"));
  EXPECT_THAT(text, HasSubstr("receives only\n"));
  EXPECT_THAT(text, HasSubstr("\n1 complete, 1 partial, as tracker t.example:6969 sees it\n"));
  EXPECT_THAT(text, Not(HasSubstr("BitTorrent")));
  listing.legacy_leechers = 3;
  EXPECT_THAT(status_text(listing), HasSubstr("0 and 3 BitTorrent clients"));
}

TEST(StatusText, ANodeWithSeveralAddressesIsOneNode) {
  SwarmListing listing;
  listing.members = {complete()};
  listing.members[0].other_addresses = {"192.0.2.7:7000", "192.0.2.8:7000"};
  EXPECT_THAT(status_text(listing), HasSubstr("[2001:db8::1]:7000 (+2)  ["));
  EXPECT_EQ(nlohmann::json::parse(status_json(listing))["nodes"][0]["other_addresses"].size(), 2u);
}

TEST(StatusText, NearlyCompleteIsNotShownAsComplete) {
  SwarmListing listing;
  SwarmMember nearly = member(1000, {});
  nearly.fraction = 0.999;
  listing.members = {nearly};
  EXPECT_THAT(status_text(listing), HasSubstr(" 99 %"));
}

TEST(StatusJson, SaysTheSameForPrograms) {
  SwarmListing listing;
  listing.tracker = "t.example:6969";
  listing.members = {member(4, {0}), complete()};
  const auto json = nlohmann::json::parse(status_json(listing));
  EXPECT_EQ(json["v"], 1);
  EXPECT_EQ(json["tracker"], "t.example:6969");
  EXPECT_EQ(json["complete"], 1);
  EXPECT_EQ(json["partial"], 1);
  ASSERT_EQ(json["nodes"].size(), 2u);
  EXPECT_EQ(json["nodes"][0]["complete"], true);
  EXPECT_EQ(json["nodes"][1]["fraction"], 0.25);
  EXPECT_EQ(json["nodes"][1]["owned"], "80000000000000000000000000000000");
  EXPECT_EQ(json["nodes"][1]["node"], "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f");
  EXPECT_EQ(json["nodes"][1]["chunks"], 4);
  EXPECT_EQ(nlohmann::json::parse(status_json({}))["nodes"].size(), 0u);
}

}  // namespace
}  // namespace peernet::cli
