// Chunks that a source gives to others first.
#include "download_fixture.hpp"

namespace peernet::swarm {
namespace {

using namespace test;

TEST(Download, AChunkThatIsBeingSpreadIsAskedThereOnlyAfterASecondAndAnotherAtOnce) {
  Download d = running(2);
  const SourceIndex s = full_source(d, at(0s));
  ASSERT_TRUE(d.add_source(at(0s)));  // who may be given it
  const auto first = d.next_request(at(0s));
  ASSERT_TRUE(first);
  d.on_reject(at(1ms), s, first->id, Refusal::kSpreading);
  while (const auto next = d.next_request(at(1ms))) EXPECT_NE(next->item, first->item);
  EXPECT_EQ(d.score(s).total_failures(), 0);
  bool again = false;
  while (const auto next = d.next_request(at(1002ms))) again = again || next->item == first->item;
  EXPECT_TRUE(again || d.outstanding_bytes() > 0);
  d.check_invariants();
}

bool asked_again(Download& d, Instant now, const Item& item) {
  bool again = false;
  while (const auto next = d.next_request(now)) again = again || next->item == item;
  return again;
}

TEST(Download, AChunkThatIsBeingSpreadIsAskedAgainSoonWhenNobodyElseIsThere) {
  Download d = running(1);
  const SourceIndex s = full_source(d, at(0s));
  const auto first = d.next_request(at(0s));
  ASSERT_TRUE(first);
  d.on_reject(at(1ms), s, first->id, Refusal::kSpreading);
  EXPECT_FALSE(asked_again(d, at(100ms), first->item));
  EXPECT_TRUE(asked_again(d, at(127ms), first->item));
}

TEST(Download, AChunkThatWasBeingSpreadIsAskedAtOnceWhenTheOthersHaveLeft) {
  Download d = running(1);
  const SourceIndex s = full_source(d, at(0s));
  const SourceIndex other = *d.add_source(at(0s));
  const auto first = d.next_request(at(0s));
  ASSERT_TRUE(first);
  d.on_reject(at(1ms), s, first->id, Refusal::kSpreading);
  EXPECT_FALSE(asked_again(d, at(10ms), first->item));
  d.remove_source(other);
  EXPECT_TRUE(asked_again(d, at(11ms), first->item));
  d.check_invariants();
}

}  // namespace
}  // namespace peernet::swarm
