#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "download_fixture.hpp"

namespace peernet::swarm {
namespace {

using content::TableId;

using namespace test;

TEST(Download, AsksForNothingWithoutASource) {
  Download d = running(4);
  EXPECT_FALSE(d.next_request(at(0s)));
}

// Delivers everything that is asked until an assembly is whole; who sent what is noted.
AssemblyIndex fill(Download& d, Instant now, std::map<SourceIndex, std::uint64_t>& sent) {
  while (true) {
    const auto plan = d.next_request(now);
    if (!plan) {
      ADD_FAILURE() << "nothing is asked";
      return {};
    }
    sent[plan->source] += plan->length;
    if (const auto whole = deliver(d, now, *plan)) return *whole;
  }
}

TEST(Download, WhatWasWrongFromSeveralSourcesIsAskedOfOneAloneSoThatALiarIsKnown) {
  Download d = running(1);
  full_source(d, at(0s));
  full_source(d, at(0s));
  std::map<SourceIndex, std::uint64_t> sent;
  // Asked alternately: no request is answered before the next is made.
  std::vector<RequestPlan> plans;
  while (const auto plan = d.next_request(at(0s))) plans.push_back(*plan);
  std::optional<AssemblyIndex> whole;
  for (const RequestPlan& plan : plans) whole = deliver(d, at(1ms), plan);
  while (!whole) whole = fill(d, at(1ms), sent);
  ASSERT_FALSE(d.sole_source(*whole)) << "the two shared it";
  for (int again = 0; again < 3; ++again) {
    d.on_bad(at(1ms), *whole);
    d.check_invariants();
    std::map<SourceIndex, std::uint64_t> alone;
    whole = fill(d, at(10s * (again + 1)), alone);
    EXPECT_EQ(alone.size(), 1u);
    EXPECT_TRUE(d.sole_source(*whole));
  }
  d.on_verified(*whole);
  d.on_written(*whole);
  EXPECT_TRUE(d.complete());
}

TEST(Download, ADisputedChunkIsBegunAnewWhenItsSourceLeaves) {
  Download d = running(1);
  const SourceIndex a = full_source(d, at(0s));
  const SourceIndex b = full_source(d, at(0s));
  std::vector<RequestPlan> plans;
  while (const auto plan = d.next_request(at(0s))) plans.push_back(*plan);
  std::map<SourceIndex, std::uint64_t> sent;
  std::optional<AssemblyIndex> whole;
  for (const RequestPlan& plan : plans) whole = deliver(d, at(1ms), plan);
  while (!whole) whole = fill(d, at(1ms), sent);
  ASSERT_FALSE(d.sole_source(*whole));
  d.on_bad(at(1ms), *whole);
  const auto first = d.next_request(at(1ms));
  ASSERT_TRUE(first);
  EXPECT_FALSE(deliver(d, at(2ms), *first));
  d.remove_source(first->source);
  d.check_invariants();
  std::map<SourceIndex, std::uint64_t> alone;
  whole = fill(d, at(3ms), alone);
  EXPECT_EQ(alone, (std::map<SourceIndex, std::uint64_t>{{first->source == a ? b : a, kChunk}}));
  EXPECT_TRUE(d.sole_source(*whole));
}

TEST(Download, PagesComeBeforeChunks) {
  Download d(options());
  const SourceIndex s = full_source(d, at(0s));
  d.want_page({TableId::kManifest, 0}, 132);
  d.want_page({TableId::kManifest, 0}, 132);  // wanted once
  const auto plan = d.next_request(at(0s));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->item, (Item{TableId::kManifest, 0}));
  EXPECT_EQ(plan->length, 132u);
  EXPECT_EQ(plan->source, s);
  EXPECT_EQ(download_of(plan->id), 5u);
  EXPECT_FALSE(d.next_request(at(0s)));
  const auto whole = deliver(d, at(1ms), *plan);
  ASSERT_TRUE(whole);
  d.on_verified(*whole);
  d.check_invariants();
  EXPECT_EQ(d.outstanding_bytes(), 0u);
}

TEST(Download, PagesAreAskedOfWhoHasToldOfSomethingWhileThereIsOne) {
  Download d(options());
  const SourceIndex empty = *d.add_source(at(0s));
  d.set_round_trip(empty, 1ms);
  const SourceIndex full = full_source(d, at(0s));
  d.set_round_trip(full, 50ms);
  d.want_page({TableId::kManifest, 0}, 132);
  const auto first = d.next_request(at(0s));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->source, full);
  d.remove_source(full);
  const auto second = d.next_request(at(1ms));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->source, empty);
}

TEST(Download, OfACrowdEachIsAskedForLittleBeforeItHasDelivered) {
  DownloadOptions o = options();
  o.assemblies = 200;
  Download d(o);
  d.begin_chunks({.count = 1000, .bytes = 16384, .last_bytes = 16384, .assemblies = 200});
  d.set_verifiable(ChunkIndex(0), 1000);
  for (int i = 0; i < 32; ++i) {
    const SourceIndex source = *d.add_source(at(0s));
    d.set_round_trip(source, 20ms);
    d.on_have_all(source);
  }
  std::map<SourceIndex, std::uint64_t> asked;
  while (const auto plan = d.next_request(at(0s))) asked[plan->source] += plan->length;
  EXPECT_EQ(asked.size(), 32u);
  for (const auto& [source, bytes] : asked) EXPECT_LE(bytes, 32u * 1024);
}

TEST(Download, AFarSourceThatHasDeliveredIsAskedForAllThatItsSlowStartMayBring) {
  Download d = running(8);
  for (int i = 0; i < 4; ++i) d.set_round_trip(full_source(d, at(0s)), 200ms, 200ms);
  std::map<SourceIndex, std::uint64_t> asked;
  std::vector<RequestPlan> plans;
  while (const auto plan = d.next_request(at(0s))) {
    asked[plan->source] += plan->length;
    plans.push_back(*plan);
  }
  EXPECT_LE(asked[plans[0].source], 256u * 1024);
  ASSERT_EQ(d.on_data(at(400ms), plans[0].source, plans[0].id, plans[0].offset, 44'000), std::nullopt);
  while (const auto plan = d.next_request(at(400ms))) asked[plan->source] += plan->length;
  EXPECT_GE(asked[plans[0].source], 640u * 1024);
}

TEST(Download, ASourceThatHasNotDeliveredHoldsOneRange) {
  Download d = running(8);
  full_source(d, at(0s));
  std::uint64_t asked = 0;
  while (const auto plan = d.next_request(at(0s))) asked += plan->length;
  EXPECT_LE(asked, 256u * 1024);
  EXPECT_GT(asked, 0u);
}

TEST(Download, EveryChunkArrivesOnceAndTheEndIsNoticed) {
  Download d = running(20, 777);
  full_source(d, at(0s));
  Instant now = at(0s);
  std::map<std::uint32_t, std::uint64_t> bytes;
  while (!d.complete()) {
    std::deque<RequestPlan> plans;
    while (const auto plan = d.next_request(now)) plans.push_back(*plan);
    ASSERT_FALSE(plans.empty());
    now += 1ms;
    for (const RequestPlan& plan : plans) {
      bytes[plan.item.index] += plan.length;
      const auto whole = deliver(d, now, plan);
      if (!whole) continue;
      d.on_verified(*whole);
      EXPECT_FALSE(d.present().test(ChunkIndex(d.item(*whole).index)));  // not before it is written
      d.on_written(*whole);
    }
    d.check_invariants();
  }
  ASSERT_EQ(bytes.size(), 20u);
  for (const auto& [chunk, n] : bytes) EXPECT_EQ(n, chunk == 19 ? 777u : kChunk);
  EXPECT_EQ(d.outstanding_bytes(), 0u);
}

TEST(Download, OnlyLiveUnmarkedBytesOfTheRequestHaveATarget) {
  Download d = running(1);
  const SourceIndex s = full_source(d, at(0s));
  const SourceIndex other = full_source(d, at(0s));
  const auto plan = d.next_request(at(0s));
  ASSERT_TRUE(plan);
  const SourceIndex asked = plan->source;
  const SourceIndex not_asked = asked == s ? other : s;
  EXPECT_TRUE(d.target(asked, plan->id, plan->offset, 100));
  EXPECT_FALSE(d.target(not_asked, plan->id, plan->offset, 100));
  EXPECT_FALSE(d.target(asked, plan->id, plan->offset, 0));
  EXPECT_FALSE(d.target(asked, plan->id, plan->offset + plan->length - 1, 2));
  EXPECT_FALSE(d.target(asked, plan->id, UINT32_MAX, 2));
  EXPECT_FALSE(d.target(asked, RequestId(plan->id.value() + 1), plan->offset, 100));
  EXPECT_FALSE(d.target(asked, RequestId(plan->id.value() ^ 0x8000'0000u), plan->offset, 100));
  d.on_data(at(1ms), asked, plan->id, 10, 100);
  EXPECT_FALSE(d.target(asked, plan->id, 109, 1));
  EXPECT_FALSE(d.target(asked, plan->id, 10, 100));
  const auto partial = d.target(asked, plan->id, 5, 200);  // a retransmission with other borders
  ASSERT_TRUE(partial);
  EXPECT_TRUE(partial->partial);
  EXPECT_EQ(d.missing(partial->assembly, {5, 205}), (Range<std::uint32_t>{5, 10}));
  EXPECT_EQ(d.missing(partial->assembly, {10, 205}), (Range<std::uint32_t>{110, 205}));
  EXPECT_TRUE(d.target(asked, plan->id, 110, 1));
  EXPECT_TRUE(d.target(asked, plan->id, 0, 10));
}

TEST(Download, WhatASourceTakesAwayIsAskedOfAnotherAndNothingTwice) {
  Download d = running(2);
  const SourceIndex a = full_source(d, at(0s));
  const auto first = d.next_request(at(0s));
  ASSERT_TRUE(first);
  d.on_data(at(1ms), a, first->id, 0, 1000);
  d.remove_source(a);
  d.check_invariants();
  EXPECT_EQ(d.outstanding_bytes(), 0u);
  const SourceIndex b = full_source(d, at(2ms));
  const auto again = d.next_request(at(2ms));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->source, b);
  EXPECT_EQ(again->item, first->item);
  EXPECT_EQ(again->offset, 1000u);  // the first 1000 bytes stay received
  EXPECT_NE(again->id, first->id);
  EXPECT_FALSE(d.target(b, first->id, 1000, 10));
}

TEST(Download, WrongBytesAreThrownAwayAndAskedForAgain) {
  Download d = running(1, 500);
  full_source(d, at(0s));
  const auto plan = d.next_request(at(0s));
  const auto whole = deliver(d, at(1ms), *plan);
  ASSERT_TRUE(whole);
  d.on_bad(at(1ms), *whole);
  d.check_invariants();
  EXPECT_FALSE(d.next_request(at(1ms)));  // the source waits out its backoff
  const auto again = d.next_request(at(1s));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->item.index, 0u);
  EXPECT_EQ(again->length, 500u);
}

TEST(Download, ARejectedChunkIsNotAskedOfThatSourceAgain) {
  Download d = running(2);
  const SourceIndex s = full_source(d, at(0s));
  const auto plan = d.next_request(at(0s));
  d.on_reject(at(1ms), s, plan->id, Refusal::kNotHad);
  std::set<std::uint32_t> asked;
  while (const auto next = d.next_request(at(1ms))) asked.insert(next->item.index);
  EXPECT_FALSE(asked.contains(plan->item.index));
  EXPECT_FALSE(asked.empty());
  d.check_invariants();
}

TEST(Download, ASourceThatKeepsTheLastBytesToItselfAndTricklesLosesTheRequestAllTheSame) {
  Download d = running(2);
  const SourceIndex miser = full_source(d, at(0s));
  const auto plan = d.next_request(at(0s));
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->source, miser);
  const SourceIndex other = full_source(d, at(0s));
  const std::uint32_t kept = 64;
  d.on_data(at(1ms), miser, plan->id, plan->offset, plan->length - kept);
  Instant now = at(1ms);
  std::uint32_t next = plan->offset + plan->length - kept;
  while (d.target(miser, plan->id, next, 1)) {  // a byte now and then: it is never silent
    ASSERT_LT(now, at(10s));
    d.on_data(now, miser, plan->id, next++, 1);
    now = now + 300ms;
    d.on_timeout(now);
  }
  EXPECT_TRUE(d.score(miser).suspended(now));
  const auto again = d.next_request(now);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->source, other);
  d.check_invariants();
}

TEST(Download, AStalledSourceLosesItsRequestsToAnotherAndItsCreditReturnsWithTheConfirmation) {
  Download d = running(2);
  const SourceIndex slow = full_source(d, at(0s));
  const auto plan = d.next_request(at(0s));
  ASSERT_TRUE(plan);
  const SourceIndex other = full_source(d, at(0s));
  const Instant stall = d.next_deadline(at(0s));
  ASSERT_FALSE(stall.is_never());
  d.on_timeout(stall);
  const auto cancel = d.next_cancel();
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->first, slow);
  EXPECT_EQ(cancel->second, plan->id);
  EXPECT_FALSE(d.target(slow, plan->id, plan->offset, 10));
  EXPECT_EQ(d.outstanding_bytes(), plan->length);
  const auto again = d.next_request(stall);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->source, other);
  EXPECT_EQ(again->item, plan->item);
  d.on_request_gone(slow, plan->id);
  d.on_request_gone(slow, plan->id);  // twice is harmless
  EXPECT_EQ(d.outstanding_bytes(), again->length);
  d.check_invariants();
}

TEST(Download, ALoneSourceKeepsItsRequestsThroughAStall) {
  Download d = running(2);
  const SourceIndex s = full_source(d, at(0s));
  const auto plan = d.next_request(at(0s));
  d.on_timeout(at(10s));
  EXPECT_FALSE(d.next_cancel());
  EXPECT_TRUE(d.target(s, plan->id, plan->offset, 10));
  EXPECT_GT(d.next_deadline(at(10s)), at(10s));  // no timer that comes again at once
}

TEST(Download, NearSourcesTogetherStayWithinTheSocket) {
  DownloadOptions o = options();
  o.socket_bytes = 200'000;
  Download d(o);
  d.begin_chunks({.count = 50, .bytes = kChunk, .last_bytes = kChunk, .assemblies = 8});
  d.set_verifiable(ChunkIndex(0), 50);
  for (int i = 0; i < 4; ++i) full_source(d, at(0s));
  while (d.next_request(at(0s))) {
  }
  EXPECT_LE(d.outstanding_bytes(), 200'000u + 65'536u);
}

TEST(Download, RarestChunksComeFirst) {
  Download d = running(100);
  for (int i = 0; i < 3; ++i) {
    const SourceIndex s = *d.add_source(at(0s));
    d.set_round_trip(s, 1ms);
    EXPECT_TRUE(d.on_have(s, 0, i == 0 ? 99 : 90));
  }
  std::set<std::uint32_t> asked;
  for (int i = 0; i < 7; ++i) {
    const auto plan = d.next_request(at(0s));
    if (plan) asked.insert(plan->item.index);
  }
  EXPECT_TRUE(std::ranges::any_of(asked, [](std::uint32_t c) { return c >= 90; }));
  d.check_invariants();
}

TEST(Download, InOrderMeansNoFurtherAheadThanThereAreBuffers) {
  DownloadOptions o = options();
  o.sequential = true;
  Download d(o);
  d.begin_chunks({.count = 100, .bytes = 16384, .last_bytes = 16384, .assemblies = 8});
  d.set_unwanted(ChunkIndex(1));
  d.set_verifiable(ChunkIndex(0), 100);
  full_source(d, at(0s));
  std::vector<std::uint32_t> asked;
  while (const auto plan = d.next_request(at(0s))) asked.push_back(plan->item.index);
  EXPECT_EQ(asked, (std::vector<std::uint32_t>{0, 2, 3, 4, 5, 6, 7}));
}

TEST(Download, UnwantedChunksAreNeitherAskedForNorNeeded) {
  Download d = running(3);
  full_source(d, at(0s));
  d.set_unwanted(ChunkIndex(0));
  d.set_unwanted(ChunkIndex(2));
  std::map<SourceIndex, std::uint64_t> sent;
  const AssemblyIndex whole = fill(d, at(1ms), sent);
  EXPECT_EQ(d.item(whole).index, 1u);
  d.on_verified(whole);
  EXPECT_FALSE(d.complete());
  d.on_written(whole);
  EXPECT_TRUE(d.complete());
  d.check_invariants();
}

TEST(Download, HaveBeforeTheCoreIsKnownIsRememberedWithinABound) {
  Download d(options());
  const SourceIndex s = *d.add_source(at(0s));
  EXPECT_TRUE(d.on_have(s, 2, 1));
  EXPECT_FALSE(d.on_have(s, kEarlyHave, 1));
  EXPECT_FALSE(d.on_have(s, 1, UINT32_MAX));
  d.begin_chunks({.count = 4, .bytes = kChunk, .last_bytes = kChunk, .assemblies = 8});
  d.set_verifiable(ChunkIndex(0), 4);
  const auto plan = d.next_request(at(0s));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->item.index, 2u);
  EXPECT_FALSE(d.on_have(s, 4, 1));
  d.check_invariants();
}

TEST(Download, AFloodOfTheSameHaveHasAnEnd) {
  Download d = running(100);
  const SourceIndex s = *d.add_source(at(0s));
  bool kept = true;
  for (int i = 0; i < 10'000 && kept; ++i) kept = d.on_have(s, 0, 99);
  EXPECT_FALSE(kept);
}

// Random arrivals, losses of sources, rejects and cancels against a plain model of what was received.
TEST(Download, BooksBalanceUnderRandomEvents) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    const std::uint32_t chunks = 6;
    Download d = running(chunks, 12'345);
    std::vector<SourceIndex> sources{full_source(d, at(0s)), full_source(d, at(0s))};
    std::vector<RequestPlan> live;
    std::map<RequestId, std::uint32_t> next_byte;
    Instant now = at(0s);
    for (int step = 0; step < 20'000 && !d.complete(); ++step) {
      now += Duration(static_cast<std::int64_t>(rng.below(3'000'000)));
      while (const auto plan = d.next_request(now)) {
        live.push_back(*plan);
        next_byte[plan->id] = plan->offset;
      }
      d.on_timeout(now);
      while (const auto cancel = d.next_cancel()) {
        if (rng.chance(0.5)) d.on_request_gone(cancel->first, cancel->second);
      }
      if (rng.chance(0.01)) {
        const std::size_t i = rng.below(sources.size());
        d.remove_source(sources[i]);
        sources[i] = full_source(d, now);
      }
      if (live.empty()) continue;
      const std::size_t i = rng.below(live.size());
      const RequestPlan plan = live[i];
      std::uint32_t& from = next_byte[plan.id];
      const auto length =
          std::min<std::uint32_t>(1 + static_cast<std::uint32_t>(rng.below(100'000)), plan.offset + plan.length - from);
      if (rng.chance(0.02)) {
        d.on_reject(now, plan.source, plan.id, Refusal::kOther);
      } else if (d.target(plan.source, plan.id, from, length)) {
        std::optional<AssemblyIndex> whole;
        const auto target = d.target(plan.source, plan.id, from, length);
        Range<std::uint32_t> rest{from, from + length};  // of a pair in the endgame the other may have brought some
        for (auto piece = d.missing(target->assembly, rest); !piece.empty() && !whole;
             piece = d.missing(target->assembly, rest)) {
          whole = d.on_data(now, plan.source, plan.id, piece.first, piece.size());
          rest.first = piece.end;
        }
        from += length;
        if (whole && rng.chance(0.1)) {
          d.on_bad(now, *whole);
        } else if (whole) {
          d.on_verified(*whole);
          rng.chance(0.1) ? d.on_write_failed(*whole) : d.on_written(*whole);
        }
        if (from < plan.offset + plan.length) continue;
      }
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
      d.check_invariants();
    }
    EXPECT_TRUE(d.complete()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace peernet::swarm
