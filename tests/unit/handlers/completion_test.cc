#include "handlers/completion.h"

#include <gtest/gtest.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <memory>

#include "tools/common/handler_memory.h"

namespace grid {
namespace {

using Done = Completion<std::unique_ptr<int>>;

std::unique_ptr<int> Value(int value) { return std::make_unique<int>(value); }

TEST(Completion, OnTheLoopItself_IsAPlainCall) {
  asio::io_context io;
  int got = 0;
  Done done([&](std::unique_ptr<int> value) { got = *value; });
  ASSERT_TRUE(done);
  done.Complete(&io, Value(7));
  EXPECT_EQ(got, 7);
  EXPECT_FALSE(done);

  const asio::any_io_executor erased = io.get_executor();
  Done bound(asio::bind_executor(erased, [&](std::unique_ptr<int> value) { got = *value; }));
  bound.Complete(&io, Value(8));
  EXPECT_EQ(got, 8);
}

TEST(Completion, WithoutALoop_IsCalledAtOnce) {
  int got = 0;
  Done done([&](std::unique_ptr<int> value) { got = *value; });
  done(Value(7));
  EXPECT_EQ(got, 7);
}

TEST(Completion, GoesThroughItsOwnExecutor) {
  asio::io_context io, own;
  for (asio::io_context* loop : {&io, static_cast<asio::io_context*>(nullptr)}) {
    int got = 0;
    Done done(asio::bind_executor(own, [&](std::unique_ptr<int> value) { got = *value; }));
    done.Complete(loop, Value(7));
    EXPECT_EQ(got, 0);
    own.restart();
    own.poll();
    EXPECT_EQ(got, 7);
  }
}

// Whoever waits for the thread that posts has waited for all that use the executor.
TEST(Completion, Post_LeadsToItsExecutorWithoutAnotherThread) {
  asio::io_context own;
  int got = 0;
  const auto handler = [&](std::unique_ptr<int> value) { got = *value; };
  Done(asio::bind_executor(own, handler)).Post(Value(7));
  Done(asio::bind_executor(asio::any_io_executor(own.get_executor()), handler)).Post(Value(8));
  EXPECT_EQ(own.poll_one(), 1u);
  EXPECT_EQ(got, 7);
  EXPECT_EQ(own.poll_one(), 1u);
  EXPECT_EQ(got, 8);
}

TEST(Completion, With_KeepsTheResultUntilItIsRun) {
  asio::io_context io;
  int got = 0;
  Done done([&](std::unique_ptr<int> value) { got = *value; });
  ReadyCompletion ready = done.With(Value(7));
  EXPECT_FALSE(done);
  EXPECT_EQ(got, 0);
  ready.Run(&io);
  EXPECT_EQ(got, 7);
}

TEST(Completion, Dropped_NeverCallsButDestroysTheHandler) {
  const auto alive = std::make_shared<int>();
  const auto handler = [alive](std::unique_ptr<int>) { ADD_FAILURE() << "called"; };
  { Done done(handler); }
  {
    Done done(handler);
    ReadyCompletion ready = done.With(Value(7));
  }
  {
    Done done(handler);
    done = Done();
  }
  EXPECT_EQ(alive.use_count(), 2);  // ours, and that of `handler`
}

// Whether the one operation's room in `memory` is free.
bool IsFree(tools::HandlerMemory& memory) {
  auto* const bytes = static_cast<std::byte*>(memory.Allocate(1));
  auto* const begin = reinterpret_cast<std::byte*>(&memory);
  const bool inside = bytes >= begin && bytes < begin + sizeof(memory);
  memory.Deallocate(bytes);
  return inside;
}

struct SeesItsMemory {
  using allocator_type = tools::HandlerAllocator<void>;
  allocator_type get_allocator() const { return allocator_type(memory); }
  void operator()(std::unique_ptr<int>) const { *was_free = IsFree(*memory); }
  tools::HandlerMemory* memory;
  bool* was_free;
};

// So that the handler can start the next operation in it.
TEST(Completion, GivesTheHandlersMemoryBackBeforeTheCall) {
  asio::io_context io;
  tools::HandlerMemory memory;
  bool was_free = false;
  Done done(SeesItsMemory{&memory, &was_free});
  EXPECT_FALSE(IsFree(memory));
  done.Complete(&io, Value(1));
  EXPECT_TRUE(was_free);
}

TEST(Completion, KnowsItsCancellationSlot) {
  asio::cancellation_signal signal;
  Done plain([](std::unique_ptr<int>) {});
  EXPECT_FALSE(plain.cancellation_slot().is_connected());
  Done bound(asio::bind_cancellation_slot(signal.slot(), [](std::unique_ptr<int>) {}));
  EXPECT_TRUE(bound.cancellation_slot().is_connected());
}

}  // namespace
}  // namespace grid
