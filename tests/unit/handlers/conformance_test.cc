#include "handlers/conformance/conformance.h"

#include <gtest/gtest.h>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "handlers/handler_table.h"
#include "serialization/messagepack.h"

namespace grid {
namespace {

const Caller kCaller{.host = "http://caller:1"};

// The handler's end of a stream whose caller is the test.
class FakeStream final : public StreamBackend {
 public:
  Buffer initial_payload;
  std::deque<std::string> input;
  bool input_ended = true;
  std::vector<std::string> output;

  void StartRead(ReadHandler handler) override {
    if (!input.empty()) {
      const std::string text = input.front();
      input.pop_front();
      std::move(handler)(ReadResult(Buffer::CopyOf(text)));
    } else if (input_ended) {
      std::move(handler)(ReadResult(std::nullopt));
    } else {
      pending_ = std::move(handler);
    }
  }
  void StartWrite(PayloadRef payload, WriteHandler handler) override {
    std::move(handler)(WriteBlocking(payload));
  }
  ReadResult ReadBlocking() override { return absl::UnimplementedError("not used"); }
  absl::Status WriteBlocking(PayloadRef payload) override {
    output.emplace_back(AsText(payload.view()));
    return absl::OkStatus();
  }
  void CloseSend() override {}
  void Cancel() override {}
  void Finish(absl::Status) override {}
  void Abandon() override {}
  BytesView initial() const override { return initial_payload; }

 private:
  ReadHandler pending_;
};

// Completes when its cancellation slot says so, and never otherwise.
asio::awaitable<void> WaitForCancellation() {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [](auto handler) {
        asio::cancellation_slot slot = asio::get_associated_cancellation_slot(handler);
        slot.assign([handler = std::make_shared<decltype(handler)>(std::move(handler))](
                        asio::cancellation_type) { asio::post(std::move(*handler)); });
      },
      asio::use_awaitable);
}

using StreamEnd = std::optional<absl::Status>;

struct ConformanceTest : testing::Test {
  ConformanceTest() {
    const auto sleep = [this](std::chrono::milliseconds time) -> asio::awaitable<void> {
      slept.push_back(static_cast<int>(time.count()));
      if (!sleep_for_ever) co_return;
      co_await WaitForCancellation();
    };
    const absl::Status registered = RegisterConformanceHandlers(table, {.sleep = sleep});
    EXPECT_TRUE(registered.ok()) << registered;
  }

  const HandlerEntry* Find(int id, std::string_view subroute = {}) {
    const auto number = static_cast<uint8_t>(id);
    if (subroute.empty()) return table.Find(number, nullptr);
    return table.Find(number, MakeSubrouteId(subroute, number).bytes.data());
  }

  absl::StatusOr<Buffer> Call(int id, BytesView payload, std::string_view subroute = {}) {
    RequestContext context(kCaller, HandlerId{id}, subroute, RequestContext::kNoDeadline);
    return std::get<SingleFunction>(Find(id, subroute)->function)(payload, context);
  }

  // Starts a stream handler that is a coroutine, and runs it as far as it goes.
  std::shared_ptr<StreamEnd> Start(int id, Stream& stream, RequestContext& context,
                                   std::string_view subroute = {}) {
    auto end = std::make_shared<StreamEnd>();
    asio::co_spawn(io, std::get<StreamCoroutine>(Find(id, subroute)->function)(stream, context),
                   [end](std::exception_ptr error, absl::Status status) {
                     *end = error != nullptr ? absl::InternalError("thrown") : status;
                   });
    io.restart();
    io.poll();
    return end;
  }

  std::tuple<absl::Status, std::vector<std::string>> RunStream(int id,
                                                               std::deque<std::string> input,
                                                               Buffer initial = {},
                                                               std::string_view subroute = {}) {
    auto backend = std::make_shared<FakeStream>();
    backend->input = std::move(input);
    backend->initial_payload = std::move(initial);
    Stream stream(backend);
    RequestContext context(kCaller, HandlerId{id}, subroute, RequestContext::kNoDeadline);
    const std::shared_ptr<StreamEnd> end = Start(id, stream, context, subroute);
    return {end->value_or(absl::UnavailableError("still running")), backend->output};
  }

  asio::io_context io;
  std::vector<int> slept;
  bool sleep_for_ever = false;
  HandlerTable table;
};

using Texts = std::vector<std::string>;

TEST_F(ConformanceTest, TableHasTheDocumentedKindsAndCapacities) {
  for (const int id : {1, 10, 11, 14, 15, 16, 78, 79}) {
    ASSERT_NE(Find(id), nullptr) << id;
    EXPECT_FALSE(Find(id)->is_stream()) << id;
  }
  EXPECT_FALSE(Find(2, "sub/route")->is_stream());
  const std::map<int, std::pair<uint32_t, uint32_t>> streams = {
      {3, {1, 1}},  {4, {16, 16}}, {5, {0, 1}},  {6, {0, 1}}, {8, {1, 1}},
      {9, {0, 16}}, {12, {0, 1}},  {13, {1, 1}}, {17, {0, 1}}};
  for (const auto& [id, capacities] : streams) {
    ASSERT_NE(Find(id), nullptr) << id;
    EXPECT_TRUE(Find(id)->is_stream()) << id;
    EXPECT_EQ(std::pair(Find(id)->in_capacity, Find(id)->out_capacity), capacities) << id;
  }
  EXPECT_EQ(Find(7, "sub/route")->in_capacity, 1u);
  EXPECT_EQ(Find(2), nullptr);
  EXPECT_EQ(Find(7), nullptr);
  EXPECT_EQ(Find(60), nullptr);
}

TEST_F(ConformanceTest, RegisteringTwiceFails) {
  const auto sleep = [](std::chrono::milliseconds) -> asio::awaitable<void> { co_return; };
  EXPECT_EQ(RegisterConformanceHandlers(table, {.sleep = sleep}).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(ConformanceTest, SleepIsRequired) {
  HandlerTable empty;
  EXPECT_EQ(RegisterConformanceHandlers(empty, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(empty.Find(78, nullptr), nullptr);
}

TEST_F(ConformanceTest, EchoKeepsNilAndEmptyApart) {
  EXPECT_TRUE(Call(78, {})->is_nil());
  EXPECT_FALSE(Call(78, EmptyBytes())->is_nil());
  EXPECT_EQ(Call(78, AsBytes("x"))->text(), "x");
  EXPECT_TRUE(Call(15, AsBytes("x"))->is_nil());
  EXPECT_FALSE(Call(16, AsBytes("x"))->is_nil());
  EXPECT_EQ(Call(16, AsBytes("x"))->size(), 0u);
}

TEST_F(ConformanceTest, MapGetsOneMoreEntry) {
  const auto call = [this](const std::optional<StringMap>& map) {
    Buffer request;
    EXPECT_TRUE(Encode(map, request).ok());
    StringMap reply;
    EXPECT_TRUE(Decode(Call(79, request)->view(), reply).ok());
    return reply;
  };
  EXPECT_EQ(call(StringMap{{"key", "value"}}), (StringMap{{"added", "yes"}, {"key", "value"}}));
  EXPECT_EQ(call(std::nullopt), (StringMap{{"added", "yes"}}));
  EXPECT_EQ(Call(79, AsBytes("x")).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ConformanceTest, ErrorsAndSubroute) {
  EXPECT_EQ(Call(1, AsBytes("xyz")).status().message(), "remote error: xyz");
  EXPECT_EQ(Call(1, {}).status().message(), "remote error: ");
  EXPECT_EQ(Call(2, AsBytes("p"), "sub/route")->text(), "sub:p");
  EXPECT_THROW(Call(11, {}).IgnoreError(), std::runtime_error);
}

TEST_F(ConformanceTest, TwoWayEchoEndsWithItsInput) {
  for (const int id : {3, 4}) {
    const auto [status, output] = RunStream(id, {"a", "", "c"}, Buffer::CopyOf("init"));
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(output, (Texts{"a", "", "c"}));
  }
  EXPECT_EQ(std::get<1>(RunStream(7, {"a", "b"}, {}, "sub/route")), (Texts{"sub:a", "sub:b"}));
}

TEST_F(ConformanceTest, SlowEchoPausesFiveMillisecondsPerMessage) {
  const auto [status, output] = RunStream(8, {"a", "b"});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(output, (Texts{"a", "b"}));
  EXPECT_EQ(slept, (std::vector<int>{5, 5}));
}

TEST_F(ConformanceTest, CounterSendsWhatThePayloadAsks) {
  EXPECT_EQ(std::get<1>(RunStream(5, {}, Buffer::CopyOf("3"))), (Texts{"0", "1", "2"}));
  EXPECT_EQ(std::get<1>(RunStream(9, {}, Buffer::CopyOf("0"))), Texts{});
  for (const char* bad : {"", "x", "-1", "99999999999"}) {
    EXPECT_EQ(std::get<0>(RunStream(5, {}, Buffer::CopyOf(bad))).code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ConformanceTest, FailingStreams) {
  const auto [status, output] = RunStream(6, {});
  EXPECT_EQ(status.message(), "stream failed");
  EXPECT_EQ(output, (Texts{"0", "1", "2"}));
  EXPECT_EQ(std::get<0>(RunStream(12, {})).message(), "thrown");
}

TEST_F(ConformanceTest, InitialPayloadIsDescribed) {
  const auto describe = [&](Buffer initial) {
    auto backend = std::make_shared<FakeStream>();
    backend->initial_payload = std::move(initial);
    Stream stream(backend);
    RequestContext context(kCaller, HandlerId{17}, "", RequestContext::kNoDeadline);
    EXPECT_TRUE(std::get<StreamFunction>(Find(17)->function)(stream, context).ok());
    return backend->output;
  };
  EXPECT_EQ(describe({}), Texts{"nil"});
  EXPECT_EQ(describe(Buffer::Empty()), Texts{"empty"});
  EXPECT_EQ(describe(Buffer::CopyOf(std::string(70000, 'x'))), Texts{"len=70000"});
}

TEST_F(ConformanceTest, BlockedStreamCountsItsCancel) {
  auto backend = std::make_shared<FakeStream>();
  Stream stream(backend);
  RequestContext context(kCaller, HandlerId{13}, "", RequestContext::kNoDeadline);
  const std::shared_ptr<StreamEnd> end = Start(13, stream, context);
  EXPECT_EQ(backend->output, Texts{"ready"});
  EXPECT_FALSE(end->has_value());
  EXPECT_EQ(Call(14, {})->text(), "blocked=1 cancelled=0");
  context.Cancel(absl::CancelledError("gone"));
  io.restart();
  io.poll();
  ASSERT_TRUE(end->has_value());
  EXPECT_EQ(**end, absl::CancelledError("gone"));
  EXPECT_EQ(Call(14, {})->text(), "blocked=1 cancelled=1");
}

struct SleeperTest : ConformanceTest {
  void Sleep(std::string_view payload) {
    asio::co_spawn(io,
                   std::get<SingleCoroutine>(Find(10)->function)(Buffer::CopyOf(payload), context),
                   [this](std::exception_ptr error, absl::StatusOr<Buffer> result) {
                     EXPECT_EQ(error, nullptr);
                     reply = std::move(result);
                   });
    io.restart();
    io.poll();
  }
  RequestContext context{kCaller, HandlerId{10}, "", RequestContext::kNoDeadline};
  std::optional<absl::StatusOr<Buffer>> reply;
};

TEST_F(SleeperTest, SleepsThenEchoes) {
  Sleep("250");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ((*reply)->text(), "250");
  EXPECT_EQ(slept, std::vector<int>{250});
}

TEST_F(SleeperTest, CancelEndsTheSleep) {
  sleep_for_ever = true;
  Sleep("60000");
  EXPECT_FALSE(reply.has_value());
  context.Cancel(absl::DeadlineExceededError("late"));
  io.restart();
  io.poll();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status(), absl::DeadlineExceededError("late"));
}

TEST_F(SleeperTest, BadNumberIsAnError) {
  Sleep("ten");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grid
