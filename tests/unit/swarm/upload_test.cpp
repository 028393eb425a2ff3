#include "swarm/upload.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace peernet::swarm {
namespace {

UploadRequest request(std::uint32_t id, std::uint32_t offset, std::uint32_t length) {
  UploadRequest r;
  r.id = RequestId(id);
  r.slot = ContentSlot(1);
  r.offset = offset;
  r.length = length;
  return r;
}

TEST(UploadQueue, PiecesComeInOrderAndOnce) {
  UploadQueue q;
  EXPECT_EQ(q.on_request(request(1, 100, 250)), UploadQueue::Answer::kAccepted);
  EXPECT_EQ(q.on_request(request(1, 100, 250)), UploadQueue::Answer::kKnown);
  EXPECT_EQ(q.on_request(request(2, 0, 50)), UploadQueue::Answer::kAccepted);
  EXPECT_EQ(q.waiting_bytes(), 300u);
  const auto a = q.next_piece(200);
  const auto b = q.next_piece(200);
  const auto c = q.next_piece(200);
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a->offset, 100u);
  EXPECT_EQ(a->length, 200u);
  EXPECT_EQ(b->offset, 300u);
  EXPECT_EQ(b->length, 50u);
  EXPECT_EQ(c->request.id, RequestId(2));
  EXPECT_FALSE(q.next_piece(200));
}

TEST(UploadQueue, PagesOvertakeChunks) {
  UploadQueue q;
  q.on_request(request(1, 0, 100));
  q.on_request(request(2, 0, 100));
  UploadRequest page = request(3, 0, 50);
  page.table = content::TableId::kSha256;
  q.on_request(page);
  q.check_invariants();
  EXPECT_EQ(q.next_piece(1000)->request.id, RequestId(3));
  EXPECT_EQ(q.next_piece(1000)->request.id, RequestId(1));
  q.on_lost(RequestId(3), 0, 50);
  EXPECT_EQ(q.next_piece(1000)->request.id, RequestId(3));
  EXPECT_EQ(q.next_piece(1000)->request.id, RequestId(2));
  q.check_invariants();
}

TEST(UploadQueue, LostBytesComeAgainAndAcknowledgedOnesDoNot) {
  UploadQueue q;
  q.on_request(request(1, 0, 1000));
  q.next_piece(1000);
  q.on_lost(RequestId(1), 200, 100);
  q.on_acked(RequestId(1), 500, 100);
  q.on_lost(RequestId(1), 500, 100);  // declared lost after its copy was acknowledged
  const auto again = q.next_piece(1000);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->offset, 200u);
  EXPECT_EQ(again->length, 100u);
  EXPECT_FALSE(q.next_piece(1000));
}

TEST(UploadQueue, WhatIsToldOfAnEarlierRequestWithTheSameIdStaysWithinTheNewOne) {
  UploadQueue q;
  q.on_request(request(1, 0, 1u << 20));
  q.next_piece(1u << 20);
  q.on_cancel(RequestId(1));
  q.on_request(request(1, 100, 50));
  q.next_piece(50);
  q.on_lost(RequestId(1), 500'000, 1400);  // a packet of the old request
  EXPECT_FALSE(q.next_piece(65536));
  q.on_acked(RequestId(1), 500'000, 1400);
  EXPECT_TRUE(q.active(RequestId(1)));
  q.on_lost(RequestId(1), 0, 1400);
  const auto again = q.next_piece(65536);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->offset, 100u);
  EXPECT_EQ(again->length, 50u);
  EXPECT_EQ(q.waiting_bytes(), 0u);
  q.on_acked(RequestId(1), 0, 120);
  EXPECT_TRUE(q.active(RequestId(1)));
  q.on_acked(RequestId(1), 120, 1400);
  EXPECT_FALSE(q.active(RequestId(1)));
}

TEST(UploadQueue, AnUploadEndsWhenEveryByteIsAcknowledged) {
  UploadQueue q;
  q.on_request(request(1, 10, 90));
  q.next_piece(90);
  q.on_acked(RequestId(1), 10, 40);
  q.on_acked(RequestId(1), 10, 40);
  EXPECT_TRUE(q.active(RequestId(1)));
  q.on_acked(RequestId(1), 50, 50);
  EXPECT_FALSE(q.active(RequestId(1)));
  EXPECT_EQ(q.waiting_bytes(), 0u);
  q.on_lost(RequestId(1), 10, 90);  // too late to matter
  EXPECT_EQ(q.waiting_bytes(), 0u);
}

TEST(UploadQueue, CancelledAndDroppedUploadsAreForgotten) {
  UploadQueue q;
  q.on_request(request(1, 0, 100));
  UploadRequest other = request(2, 0, 100);
  other.slot = ContentSlot(2);
  q.on_request(other);
  EXPECT_TRUE(q.on_cancel(RequestId(1)));
  EXPECT_FALSE(q.on_cancel(RequestId(1)));
  q.drop_slot(ContentSlot(2));
  EXPECT_EQ(q.active_count(), 0u);
  EXPECT_EQ(q.waiting_bytes(), 0u);
}

TEST(UploadQueue, MoreThanItsBoundIsBusy) {
  UploadQueue q;
  for (std::uint32_t i = 0; i < kMaxUploads; ++i)
    EXPECT_EQ(q.on_request(request(i, 0, 1)), UploadQueue::Answer::kAccepted);
  EXPECT_EQ(q.on_request(request(kMaxUploads, 0, 1)), UploadQueue::Answer::kBusy);
}

// However packets are lost and acknowledged, every byte is handed out until it is acknowledged, and then the upload
// ends.
TEST(UploadQueue, EveryByteIsSentUntilItIsAcknowledged) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    UploadQueue q;
    const std::uint32_t length = 1 + static_cast<std::uint32_t>(rng.below(1 << 20));
    q.on_request(request(9, 0, length));
    std::vector<Range<std::uint32_t>> flying;
    for (int step = 0; q.active(RequestId(9)); ++step) {
      ASSERT_LT(step, 2'000'000) << "seed " << seed;
      if (const auto piece = q.next_piece(1 + static_cast<std::uint32_t>(rng.below(3000))))
        flying.push_back({piece->offset, piece->offset + piece->length});
      if (flying.empty() || rng.chance(0.3)) continue;
      const std::size_t i = rng.below(flying.size());
      rng.chance(0.3) ? q.on_lost(RequestId(9), flying[i].first, flying[i].size())
                      : q.on_acked(RequestId(9), flying[i].first, flying[i].size());
      flying[i] = flying.back();
      flying.pop_back();
    }
    EXPECT_EQ(q.waiting_bytes(), 0u);
  }
}

// Every call of a model of several contents and requests keeps the books.
TEST(UploadQueue, BooksBalanceWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    UploadQueue q;
    std::vector<Piece> flying;
    for (int step = 0; step < 20'000; ++step) {
      const RequestId id(static_cast<std::uint32_t>(rng.below(400)) << rng.below(3) * 8);
      switch (rng.below(8)) {
        case 0: {
          UploadRequest r = request(id.value(), static_cast<std::uint32_t>(rng.below(1000)),
                                    1 + static_cast<std::uint32_t>(rng.below(200'000)));
          r.slot = ContentSlot(static_cast<std::uint16_t>(rng.below(4)));
          const bool known = q.active(id);
          const auto answer = q.on_request(r);
          ASSERT_EQ(answer == UploadQueue::Answer::kKnown, known);
          ASSERT_EQ(q.active(id), answer != UploadQueue::Answer::kBusy);
          break;
        }
        case 1: {
          const bool active = q.active(id);
          ASSERT_EQ(q.on_cancel(id), active);
          break;
        }
        case 2:
          if (rng.chance(0.01)) q.drop_slot(ContentSlot(static_cast<std::uint16_t>(rng.below(4))));
          break;
        default:
          if (const auto piece = q.next_piece(1 + static_cast<std::uint32_t>(rng.below(65536)))) {
            if (rng.chance(0.1)) {
              q.give_back(*piece);
            } else {
              flying.push_back(*piece);
            }
          }
          if (flying.empty() || rng.chance(0.2)) break;
          const std::size_t i = rng.below(flying.size());
          rng.chance(0.2) ? q.on_lost(flying[i].request.id, flying[i].offset, flying[i].length)
                          : q.on_acked(flying[i].request.id, flying[i].offset, flying[i].length);
          flying[i] = flying.back();
          flying.pop_back();
      }
      q.check_invariants();
    }
  }
}

TEST(UploadQueue, ContentsTakeTurnsByBytes) {
  UploadQueue q;
  for (std::uint32_t i = 0; i < 100; ++i) {
    UploadRequest small = request(i, 0, 16384);
    small.slot = ContentSlot(1);
    q.on_request(small);
    UploadRequest large = request(1000 + i, 0, 1u << 20);
    large.slot = ContentSlot(2);
    q.on_request(large);
  }
  std::uint64_t sent[3] = {};
  while (sent[1] < 90 * 16384) {
    const auto piece = q.next_piece(65536);
    ASSERT_TRUE(piece);
    sent[piece->request.slot.value()] += piece->length;
  }
  EXPECT_NEAR(static_cast<double>(sent[2]), static_cast<double>(sent[1]), 2 * 65536);
}

TEST(UploadQueue, KnowsWhichChunksItServes) {
  UploadQueue q;
  UploadRequest r = request(1, 0, 100);
  r.index = 7;
  q.on_request(r);
  EXPECT_TRUE(q.serves_chunk(ContentSlot(1), 7));
  EXPECT_FALSE(q.serves_chunk(ContentSlot(1), 8));
  EXPECT_FALSE(q.serves_chunk(ContentSlot(2), 7));
  q.on_cancel(RequestId(1));
  EXPECT_FALSE(q.serves_chunk(ContentSlot(1), 7));
}

}  // namespace
}  // namespace peernet::swarm
