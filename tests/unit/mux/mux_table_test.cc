#include "grid/mux/mux_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace grid {
namespace {

TEST(MuxTable, Ids_AreNeverZero) {
  for (const uint32_t generation : {0u, 1u, 0xffffffffu}) {
    MuxTable table(generation);
    for (int i = 0; i < 200; ++i) {
      ClientMux* mux = table.Add();
      EXPECT_NE(mux->id, 0u);
      if (i % 3 == 0) table.Remove(mux);
    }
    EXPECT_EQ(table.Find(0), nullptr);
  }
}

TEST(MuxTable, Find_GivesWhatWasAdded) {
  MuxTable table(5);
  std::vector<ClientMux*> added;
  std::set<uint64_t> ids;
  for (int i = 0; i < 1000; ++i) {
    added.push_back(table.Add());
    ids.insert(added.back()->id);
  }
  EXPECT_EQ(table.size(), 1000u);
  EXPECT_EQ(ids.size(), 1000u);
  for (ClientMux* mux : added) EXPECT_EQ(table.Find(mux->id), mux);
}

TEST(MuxTable, Find_RefusesIdsThatNeverWere) {
  MuxTable table(5);
  EXPECT_EQ(table.Find(uint64_t{6} << MuxTable::kIndexBits), nullptr);
  ClientMux* mux = table.Add();
  EXPECT_EQ(table.Find(mux->id + 1), nullptr);
  EXPECT_EQ(table.Find(mux->id + (uint64_t{1} << MuxTable::kIndexBits)), nullptr);
  EXPECT_EQ(table.Find(~uint64_t{0}), nullptr);
  EXPECT_EQ(table.Find(mux->id & ((uint64_t{1} << MuxTable::kIndexBits) - 1)), nullptr);
}

TEST(MuxTable, Slot_IsReusedUnderAnotherId) {
  MuxTable table(5);
  ClientMux* first = table.Add();
  const uint64_t late = first->id;
  table.Remove(first);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.Find(late), nullptr);
  ClientMux* second = table.Add();
  EXPECT_EQ(second, first);
  EXPECT_NE(second->id, late);
  EXPECT_EQ(table.Find(late), nullptr);
  EXPECT_EQ(table.Find(second->id), second);
}

TEST(MuxTable, Ids_DoNotRepeatWhileSlotsDo) {
  MuxTable table(0);
  std::set<uint64_t> ids;
  for (int i = 0; i < 10'000; ++i) {
    ClientMux* mux = table.Add();
    EXPECT_TRUE(ids.insert(mux->id).second);
    table.Remove(mux);
  }
}

TEST(MuxTable, Generations_BeginWhereTheyAreTold) {
  MuxTable low(10), high(1'000'000);
  std::set<uint64_t> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(low.Add()->id);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(ids.contains(high.Add()->id));
}

TEST(MuxTable, Remove_ForgetsWhatTheMuxWas) {
  MuxTable table(5);
  PendingCall call;
  ClientMux* mux = table.Add();
  mux->call = &call;
  mux->stream = std::make_unique<StreamMux>();
  table.Remove(mux);
  EXPECT_EQ(mux->id, 0u);
  EXPECT_EQ(mux->call, nullptr);
  EXPECT_EQ(mux->stream, nullptr);
}

TEST(MuxTable, ForEach_VisitsExactlyWhatIsThere) {
  MuxTable table(5);
  std::vector<uint64_t> expected;
  for (int i = 0; i < 300; ++i) {
    ClientMux* mux = table.Add();
    if (i % 2 == 0) {
      expected.push_back(mux->id);
    } else {
      table.Remove(mux);
    }
  }
  std::vector<uint64_t> seen;
  table.ForEach([&](const ClientMux& mux) { seen.push_back(mux.id); });
  std::sort(seen.begin(), seen.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(table.size(), expected.size());
}

TEST(MuxTable, Slots_KeepTheirAddressWhileTheTableGrows) {
  MuxTable table(5);
  ClientMux* first = table.Add();
  const uint64_t id = first->id;
  for (int i = 0; i < 5000; ++i) table.Add();
  EXPECT_EQ(table.Find(id), first);
  EXPECT_EQ(first->id, id);
}

}  // namespace
}  // namespace grid
