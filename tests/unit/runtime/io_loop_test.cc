#include "grid/runtime/io_loop.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

// Early writes keep a peer busy that is alone on its thread; with others there, batches are worth
// more.
TEST(IoLoop, OneLinkAlone_AlwaysHadTheLastTurn) {
  boost::asio::io_context io;
  IoLoop loop(io, 0);
  const int one = 0;
  const int other = 0;
  EXPECT_FALSE(loop.TakeTurn(&one));
  EXPECT_TRUE(loop.TakeTurn(&one));
  EXPECT_FALSE(loop.TakeTurn(&other));
  EXPECT_FALSE(loop.TakeTurn(&one));
  EXPECT_TRUE(loop.TakeTurn(&one));
}

}  // namespace
}  // namespace grid
