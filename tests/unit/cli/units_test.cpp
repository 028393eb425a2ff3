#include "cli/units.hpp"

#include <gtest/gtest.h>

namespace peernet::cli {
namespace {

TEST(Units, RatesAreDecimalOrBinaryInEitherCase) {
  EXPECT_EQ(parse_rate("100M"), 100'000'000u);
  EXPECT_EQ(parse_rate("100MB"), 100'000'000u);
  EXPECT_EQ(parse_rate("10MiB"), 10u << 20);
  EXPECT_EQ(parse_rate("10mi"), 10u << 20);
  EXPECT_EQ(parse_rate("1g"), 1'000'000'000u);
  EXPECT_EQ(parse_rate("1.5G"), 1'500'000'000u);
  EXPECT_EQ(parse_rate("0.5KiB"), 512u);
  EXPECT_EQ(parse_rate("2MB/s"), 2'000'000u);
  EXPECT_EQ(parse_rate("2mib/S"), 2u << 20);
  EXPECT_EQ(parse_rate("12345"), 12345u);
  EXPECT_EQ(parse_rate("7B"), 7u);
  EXPECT_EQ(parse_rate("1T"), 1'000'000'000'000u);
}

TEST(Units, WhatIsNoRateIsRefused) {
  for (const char* text : {"",   "M",      "-1M",   "+1M", "1 M",  "1e6",   "1MM", "1Mbit",  "1x",
                           "0",  "0.2",    "inf",   "nan", "0x10", "1.2.3", ".",   "99999E", "9999999999999999999999",
                           "/s", "1M/min", "1M/s/s"})
    EXPECT_EQ(parse_rate(text), std::nullopt) << text;
  EXPECT_EQ(parse_bytes("2MB/s"), std::nullopt);
}

TEST(Units, SecondsMayHaveAFraction) {
  EXPECT_EQ(parse_seconds("60"), 60.0);
  EXPECT_EQ(parse_seconds("0"), 0.0);
  EXPECT_EQ(parse_seconds("0.5"), 0.5);
  EXPECT_EQ(parse_seconds("90s"), 90.0);
  for (const char* text : {"", "s", "-1", "1m", "1e3", "inf", "4000000000", "1 s"})
    EXPECT_EQ(parse_seconds(text), std::nullopt) << text;
}

TEST(Units, BytesAreShownWithThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 KiB");
  EXPECT_EQ(format_bytes(1229), "1.2 KiB");
  EXPECT_EQ(format_bytes(200'000'000), "191 MiB");
  EXPECT_EQ(format_bytes(43u << 20), "43.0 MiB");
  EXPECT_EQ(format_bytes(1023u << 20), "1.0 GiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(Units, APartIsShownInTheUnitOfTheWhole) {
  EXPECT_EQ(format_part(1'300'000'000, 3'000'000'000), "1.2/2.8 GiB");
  EXPECT_EQ(format_part(0, 3'000'000'000), "0.0/2.8 GiB");
  EXPECT_EQ(format_part(5, 9), "5/9 B");
}

TEST(Units, RatesAreBinary) {
  EXPECT_EQ(format_rate(985'661'440.0), "940 MiB/s");
  EXPECT_EQ(format_rate(0), "0 B/s");
}

TEST(Units, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(format_duration(0.034), "34ms");
  EXPECT_EQ(format_duration(0.44), "0.4s");
  EXPECT_EQ(format_duration(2.2), "2s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(59.6), "1m 00s");
  EXPECT_EQ(format_duration(200), "3m 20s");
  EXPECT_EQ(format_duration(18180), "5h 03m");
  EXPECT_EQ(format_duration(4 * 86400 + 7200), "4d 02h");
}

}  // namespace
}  // namespace peernet::cli
