#include "grid/mux/counters.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace grid {
namespace {

TEST(Counters, AddSubAndSet_Work) {
  Counter counter;
  counter.Add(5);
  counter.Sub(2);
  EXPECT_EQ(counter.Get(), 3u);
  counter.Set(9);
  EXPECT_EQ(counter.Get(), 9u);
}

TEST(Counters, Names_AreThereAndDiffer) {
  std::set<std::string_view> names;
  for (int i = 0; i < static_cast<int>(Drop::kCount); ++i) names.insert(DropName(Drop(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Drop::kCount));
  EXPECT_EQ(names.count(""), 0u);
  names.clear();
  for (int i = 0; i < static_cast<int>(SessionEnd::kCount); ++i) {
    names.insert(SessionEndName(SessionEnd(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(SessionEnd::kCount));
  EXPECT_EQ(names.count(""), 0u);
}

TEST(Counters, Names_MatchTheirValues) {
  EXPECT_EQ(DropName(Drop::kLateResponse), "late-response");
  EXPECT_EQ(DropName(Drop::kBadControlPayload), "bad-control-payload");
  EXPECT_EQ(DropName(Drop::kOutOfSequence), "out-of-sequence");
  EXPECT_EQ(DropName(Drop::kHandlerRefused), "handler-refused");
  EXPECT_EQ(SessionEndName(SessionEnd::kMalformedMessage), "malformed-message");
  EXPECT_EQ(SessionEndName(SessionEnd::kPeerDisconnect), "peer-disconnect");
}

TEST(Counters, Drops_AreCountedApart) {
  SessionCounters counters;
  counters.Count(Drop::kUnknownOp);
  counters.Count(Drop::kUnknownOp);
  EXPECT_EQ(counters.Dropped(Drop::kUnknownOp), 2u);
  EXPECT_EQ(counters.Dropped(Drop::kUnknownFlags), 0u);
}

}  // namespace
}  // namespace grid
