#include "grid/directory/io_gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace grid::internal {
namespace {

TEST(IoGate, Post_RunsLaterOnTheThread) {
  boost::asio::io_context io;
  IoGate gate(io);
  bool ran = false;
  EXPECT_TRUE(gate.Post([&] { ran = true; }));
  EXPECT_FALSE(ran);
  EXPECT_EQ(io.poll(), 1u);
  EXPECT_TRUE(ran);
}

TEST(IoGate, Closed_LetsNothingInAndLeavesItToTheCaller) {
  auto io = std::make_unique<boost::asio::io_context>();
  IoGate gate(*io);
  EXPECT_FALSE(gate.closed());
  gate.Close();
  gate.Close();
  EXPECT_TRUE(gate.closed());
  io.reset();
  struct Function {
    void operator()() const { ADD_FAILURE() << "ran"; }
    std::unique_ptr<int> owned = std::make_unique<int>(7);
  } function;
  EXPECT_FALSE(gate.Post(std::move(function)));
  EXPECT_NE(function.owned, nullptr);
}

TEST(IoGate, PostTo_AsksForItThereAndHoldsNothing) {
  boost::asio::io_context io;
  IoGate gate(io);
  int ran = 0;
  auto self = std::make_shared<int>(7);
  const std::weak_ptr<int> weak = self;
  EXPECT_TRUE(gate.PostTo(weak, [&](int& value) { ran += value; }));
  EXPECT_EQ(self.use_count(), 1);
  io.poll();
  EXPECT_EQ(ran, 7);
  EXPECT_TRUE(gate.PostTo(weak, [&](int& value) { ran += value; }));
  self.reset();
  io.restart();
  io.poll();
  EXPECT_EQ(ran, 7);
}

}  // namespace
}  // namespace grid::internal
