// Once warm, messages go through a session without touching the heap.
//
// This file replaces the global allocation functions of the test program by ones that count while a
// test asks for it, on its thread only. Not under a sanitizer, which replaces them itself.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "tests/unit/mux/session_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRID_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GRID_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef GRID_COUNTS_ALLOCATIONS
#define GRID_COUNTS_ALLOCATIONS 1
#endif

#if GRID_COUNTS_ALLOCATIONS

namespace {

thread_local bool counting = false;
thread_local int allocations = 0;

void* Allocate(std::size_t size, std::size_t alignment) {
  if (counting) ++allocations;
  if (size == 0) size = 1;
  void* block = alignment <= alignof(std::max_align_t)
                    ? std::malloc(size)
                    : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

// The other forms end in these. Not inlined: g++ would take the free for that of another operator's
// block.
[[gnu::noinline]] void* operator new(std::size_t size) { return Allocate(size, 1); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  std::free(block);
}

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr char kPayload[] = "some five hundred bytes would do no harm here, but these are enough";

template <typename Function>
int Allocations(Function&& function) {
  allocations = 0;
  counting = true;
  function();
  counting = false;
  return allocations;
}

// Echoes requests and stream messages, and keeps nothing.
class EchoHost final : public SessionHost, public StreamSink {
 public:
  void OnReply(PendingCall*, BytesView) override { ++replies; }
  void OnCallFailed(PendingCall*, const absl::Status&) override { ADD_FAILURE(); }
  Admit OnRequest(const HandlerEntry&, const InboundRequest& request,
                  RunningRequest** running) override {
    if (hold) {
      held = request;
      *running = &this->running;
      return Admit::kPending;
    }
    session->Answer(request, nullptr, request.payload, *now);
    return Admit::kAnswered;
  }
  void OnRequestCancelled(RunningRequest*, const absl::Status&) override {}
  StreamSink* OnStream(const HandlerEntry&, const InboundStream& stream) override {
    mux = stream.mux;
    return this;
  }
  void OnSessionEnd(SessionEnd, std::string_view) override { ADD_FAILURE(); }

  void OnData(BytesView payload) override {
    session->Consumed(mux, 1, payload.size(), *now);
    EXPECT_EQ(session->Send(mux, payload), Session::SendResult::kSent);
  }
  void OnEof() override { session->Finish(mux, absl::OkStatus()); }
  void OnSendable() override {}
  void OnEnd(const absl::Status&) override { session->Finish(mux, absl::OkStatus()); }

  Session* session = nullptr;
  const TimePoint* now = nullptr;
  StreamMux* mux = nullptr;
  bool hold = false;
  InboundRequest held;
  RunningRequest running;
  int replies = 0;
};

class CountingSink final : public StreamSink {
 public:
  void OnData(BytesView payload) override {
    ++messages;
    session->Consumed(mux, 1, payload.size(), *now);
  }
  void OnEof() override {}
  void OnSendable() override {}
  void OnEnd(const absl::Status& status) override {
    EXPECT_TRUE(status.ok());
    ++ends;
  }

  Session* session = nullptr;
  const TimePoint* now = nullptr;
  StreamMux* mux = nullptr;
  int messages = 0;
  int ends = 0;
};

class SessionAllocation : public ::testing::Test {
 protected:
  explicit SessionAllocation(const SessionConfig& config = test::TestConfig())
      : sessions_{MakeSession(config, 0), MakeSession(config, 1)} {
    for (int i = 0; i < 2; ++i) {
      hosts_[i].session = sessions_[i].get();
      hosts_[i].now = &now_;
    }
    sink_.session = sessions_[0].get();
    sink_.now = &now_;
  }

  void Pump() {
    for (bool moved = true; moved;) {
      moved = false;
      for (int i = 0; i < 2; ++i) {
        while (sessions_[i]->CanStartWrite()) {
          sessions_[1 - i]->OnMessage(sessions_[i]->StartWrite(), now_);
          sessions_[i]->FinishWrite();
          moved = true;
        }
      }
    }
  }
  absl::StatusOr<uint64_t> Call() {
    return sessions_[0]->StartCall(
        {.handler = test::kSingle, .payload = AsBytes(kPayload), .deadline = now_ + 10s}, &call_,
        now_);
  }
  void Open() {
    sink_.mux =
        *sessions_[0]->OpenStream({.handler = test::kStreamOne, .has_input = true}, &sink_, now_);
    Pump();
  }
  void Echo() {
    EXPECT_EQ(sessions_[0]->Send(sink_.mux, AsBytes(kPayload)), Session::SendResult::kSent);
    Pump();
  }

  TimePoint now_ = test::kStart;
  std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  SessionCounters counters_[2];
  EchoHost hosts_[2];
  std::unique_ptr<Session> sessions_[2];
  CountingSink sink_;
  PendingCall call_;

 private:
  std::unique_ptr<Session> MakeSession(const SessionConfig& config, int i) {
    return std::make_unique<Session>(config, test::TestHandlers(), *pool_, counters_[i], hosts_[i],
                                     now_);
  }
};

class SessionAllocationWithCredits : public SessionAllocation {
 protected:
  SessionAllocationWithCredits() : SessionAllocation(Config()) {}
  static SessionConfig Config() {
    SessionConfig config = test::TestConfig();
    config.extensions.credits = 1;
    return config;
  }
};

class SessionAllocationWithFragments : public SessionAllocation {
 protected:
  SessionAllocationWithFragments() : SessionAllocation(Config()) {}
  static SessionConfig Config() {
    SessionConfig config = test::TestConfig();
    config.extensions.fragments = 64 << 10;
    return config;
  }
};

TEST_F(SessionAllocation, TheCounterCounts) {
  EXPECT_EQ(Allocations([] { std::make_unique<int>(1); }), 1);
  EXPECT_EQ(Allocations([] { std::make_unique<int[]>(10); }), 1);
}

TEST_F(SessionAllocation, RequestRoundTrip_AllocatesNothing) {
  const auto run = [&] {
    for (int i = 0; i < 1000; ++i) {
      (void)*Call();
      Pump();
      now_ += 1ms;
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(hosts_[0].replies, 2000);
}

TEST_F(SessionAllocationWithFragments, LargeRequests_AllocateNothing) {
  const std::string payload(1 << 20, 'x');
  const auto run = [&] {
    for (int i = 0; i < 20; ++i) {
      Buffer large = pool_->Copy(AsBytes(payload));
      ASSERT_TRUE(
          sessions_[0]
              ->StartCall(
                  {.handler = test::kSingle, .payload = std::move(large), .deadline = now_ + 10s},
                  &call_, now_)
              .ok());
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(hosts_[0].replies, 40);
}

TEST_F(SessionAllocation, ConcurrentRequests_AllocateNothing) {
  const auto run = [&] {
    for (int i = 0; i < 20; ++i) {
      for (int k = 0; k < 300; ++k) (void)*Call();
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
}

TEST_F(SessionAllocation, PendingRequests_AllocateNothing) {
  hosts_[1].hold = true;
  const auto run = [&] {
    for (int i = 0; i < 1000; ++i) {
      (void)*Call();
      Pump();
      sessions_[1]->Answer(hosts_[1].held, &hosts_[1].running, AsBytes(kPayload), now_);
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(hosts_[0].replies, 2000);
}

TEST_F(SessionAllocation, CancelledRequests_AllocateNothing) {
  const auto run = [&] {
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(sessions_[0]->CancelCall(*Call()));
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
}

TEST_F(SessionAllocation, StreamMessageRoundTrip_AllocatesNothing) {
  Open();
  const auto run = [&] {
    for (int i = 0; i < 1000; ++i) Echo();
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(sink_.messages, 2000);
}

TEST_F(SessionAllocationWithCredits, StreamMessages_AllocateNothing) {
  Open();
  const auto run = [&] {
    for (int i = 0; i < 20'000; ++i) Echo();  // more than one window
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(sink_.messages, 40'000);
}

TEST_F(SessionAllocation, SmallMessagesWhereFragmentsAreOn_AllocateNothing) {
  SessionConfig config = test::TestConfig();
  config.extensions.fragments = 64 << 10;
  for (int i = 0; i < 2; ++i) {
    sessions_[i] = std::make_unique<Session>(config, test::TestHandlers(), *pool_, counters_[i],
                                             hosts_[i], now_);
    hosts_[i].session = sessions_[i].get();
  }
  sink_.session = sessions_[0].get();
  Open();
  const auto run = [&] {
    for (int i = 0; i < 1000; ++i) {
      Echo();
      (void)*Call();
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
}

TEST_F(SessionAllocation, CallsWithMetadata_AllocateNothing) {
  SessionConfig config = test::TestConfig();
  config.extensions.meta = 1;
  config.extensions.handlers16 = 1;
  for (int i = 0; i < 2; ++i) {
    sessions_[i] = std::make_unique<Session>(config, test::TestHandlers(), *pool_, counters_[i],
                                             hosts_[i], now_);
    hosts_[i].session = sessions_[i].get();
  }
  Metadata metadata;
  ASSERT_TRUE(metadata.Add("tenant", "blue").ok());
  const TraceContext trace =
      *TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto run = [&] {
    for (int i = 0; i < 1000; ++i) {
      (void)*sessions_[0]->StartCall({.handler = test::kSingleAbove,
                                      .payload = AsBytes(kPayload),
                                      .deadline = now_ + 10s,
                                      .meta = {trace.Child(7), metadata}},
                                     &call_, now_);
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(hosts_[0].replies, 2000);
}

TEST_F(SessionAllocation, WholeStreams_AllocateNothing) {
  const auto run = [&] {
    for (int i = 0; i < 500; ++i) {
      Open();
      Echo();
      sessions_[0]->CloseSend(sink_.mux);
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_EQ(sink_.ends, 1000);
}

TEST_F(SessionAllocation, Pings_AllocateNothing) {
  Open();
  const auto run = [&] {
    for (int i = 0; i < 100; ++i) {
      now_ += 5s;
      sessions_[0]->OnTimer(now_);
      sessions_[1]->OnTimer(now_);
      Pump();
    }
  };
  run();
  EXPECT_EQ(Allocations(run), 0);
  EXPECT_GT(counters_[0].round_trip_ns.Get() + counters_[0].last_pong_ns.Get(), 0u);
}

}  // namespace
}  // namespace grid

#else

TEST(SessionAllocation, NeedsABuildWithoutSanitizer) {
  GTEST_SKIP() << "the sanitizer replaces the allocation functions";
}

#endif  // GRID_COUNTS_ALLOCATIONS
