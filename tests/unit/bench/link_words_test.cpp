// Links as users write them.
#include <gtest/gtest.h>

#include "bench/lab.hpp"

namespace peernet::bench {
namespace {

TEST(LinkWords, RateRoundTripAndLossAreRead) {
  const auto whole = parse_link("400M,20ms,0.1%");
  ASSERT_TRUE(whole) << whole.error();
  EXPECT_DOUBLE_EQ(whole->up.rate_bits, 400e6);
  EXPECT_DOUBLE_EQ(whole->up.delay_seconds, 0.01);
  EXPECT_DOUBLE_EQ(whole->up.loss, 0.001);
  EXPECT_DOUBLE_EQ(whole->down.delay_seconds, 0.01);
  EXPECT_EQ(whole->down.rate_bits, 0);
  EXPECT_EQ(whole->down.loss, 0);
  EXPECT_TRUE(whole->emulated());
  EXPECT_EQ(describe(*whole), "400 Mbit/s, round trip 20 ms, 0.1 % lost");
}

TEST(LinkWords, ARateAloneIsCarriedByTheKernel) {
  for (const auto& [text, bits] : {std::pair("1.5G", 1.5e9), std::pair("64k", 64e3), std::pair("10m", 10e6)}) {
    const auto link = parse_link(text);
    ASSERT_TRUE(link) << link.error();
    EXPECT_DOUBLE_EQ(link->up.rate_bits, bits);
    EXPECT_FALSE(link->emulated());
  }
  EXPECT_EQ(describe(*parse_link("1.5G")), "1.5 Gbit/s");
  EXPECT_EQ(describe(*parse_link("64k,500us")), "64 kbit/s, round trip 0.5 ms");
}

TEST(LinkWords, WhatIsWrongIsNamed) {
  for (const auto& [text, part] :
       {std::pair("", "the rate"), std::pair("fast", "the rate"), std::pair("-4M", "the rate"),
        std::pair("400", "the rate"), std::pair("400MB", "the rate"), std::pair("2000G", "the rate"),
        std::pair("infG", "the rate"), std::pair("400M,20", "the round trip"), std::pair("400M,", "the round trip"),
        std::pair("400M,11s", "the round trip"), std::pair("400M,20ms,1", "the loss"),
        std::pair("400M,20ms,100%", "the loss"), std::pair("400M,20ms,-1%", "the loss"),
        std::pair("400M,20ms,1%,2", "more than three")}) {
    const auto link = parse_link(text);
    ASSERT_FALSE(link) << text;
    EXPECT_TRUE(link.error().starts_with("wants RATE[,RTT[,LOSS]]")) << link.error();
    EXPECT_NE(link.error().find(part), std::string::npos) << text << ": " << link.error();
  }
}

}  // namespace
}  // namespace peernet::bench
