// Typed handlers between two managers.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_future.hpp>

#include "handlers/single_handler.h"
#include "handlers/stream_handler.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

struct StatRequest {
  std::string drive;
  int depth = 3;
  MSGPACK_DEFINE_MAP(drive, depth);
};

struct StatReply {
  std::string drive;
  uint64_t total = 0;
  std::vector<std::string> files = {};
  MSGPACK_DEFINE_MAP(drive, total, files);
};

// Another idea of the same request: what a peer of another version sends.
struct OtherRequest {
  int drive = 0;
  MSGPACK_DEFINE_MAP(drive);
};

// Its memory is kept: Clear leaves it as new.
struct Batch {
  std::vector<std::string> items;
  int number = 7;
  void Clear() {
    items.clear();
    number = 7;
  }
  MSGPACK_DEFINE_MAP(items, number);
};

constexpr HandlerId kStatId{20};
constexpr SingleHandler<StatRequest, StatReply> kStat{kStatId};
constexpr SingleHandler<OtherRequest, StatReply> kStatAsOther{kStatId};
constexpr SingleHandler<StatRequest, OtherRequest> kStatReadAsOther{kStatId};
constexpr SingleHandler<StatRequest, StatReply> kStatLater{HandlerId{21}};
constexpr SingleHandler<NoPayload, StatReply> kCached{HandlerId{22}};
constexpr SingleHandler<Batch, Batch> kBatch{HandlerId{23}};
constexpr SingleHandler<std::optional<StringMap>, std::optional<StringMap>> kMap{HandlerId{24}};
constexpr SingleHandler<StatRequest, NoPayload> kNote{HandlerId{25}};
constexpr SingleHandler<std::string, std::string> kShort{HandlerId{26}, {.max_length = 8}};
constexpr SingleHandler<NoPayload, std::vector<std::string>> kWho{HandlerId{27}};

constexpr StreamHandler<StatRequest, std::string, StatReply> kFiles{HandlerId{30},
                                                                    {.in = 2, .out = 3}};
constexpr StreamHandler<NoPayload, int, int> kSum{HandlerId{31}, {.in = 4}};
constexpr StreamHandler<int, NoPayload, int> kCount{HandlerId{32}, {.out = 4}};
constexpr StreamHandler<NoPayload, NoPayload, std::string> kHello{HandlerId{33}};
constexpr StreamHandler<int, NoPayload, int> kStarter{HandlerId{34}};
constexpr StreamHandler<OtherRequest, std::string, StatReply> kFilesAsOther{HandlerId{30},
                                                                            {.in = 2, .out = 3}};
constexpr StreamHandler<StatRequest, int, StatReply> kFilesWritingInts{HandlerId{30},
                                                                       {.in = 2, .out = 3}};

asio::awaitable<absl::Status> EchoStream(const StatRequest& first,
                                         TypedStream<StatReply, std::string>& stream,
                                         RequestContext&) {
  for (;;) {
    absl::StatusOr<std::optional<std::string>> file = co_await stream.Read();
    if (!file.ok()) co_return file.status();
    if (!file->has_value()) co_return absl::OkStatus();
    const StatReply reply{.drive = first.drive, .total = (*file)->size(), .files = {**file}};
    const absl::Status written = co_await stream.Write(reply);
    if (!written.ok()) co_return written;
  }
}

class TypedTest : public ScenarioTest {
 protected:
  void SetUp() override {
    MakeAndStart({.setup = [this](int node, Manager& manager) {
      if (node == 1) RegisterTyped(manager);
    }});
  }

  void RegisterTyped(Manager& manager) {
    const auto stat = [this](const StatRequest& request,
                             RequestContext& context) -> absl::StatusOr<StatReply> {
      ++stats_;
      if (request.drive.empty()) return absl::NotFoundError("no drive is named");
      return StatReply{.drive = request.drive + std::string(context.subroute()),
                       .total = static_cast<uint64_t>(request.depth)};
    };
    EXPECT_TRUE(kStat.Register(manager, stat).ok());
    EXPECT_TRUE(kStat.Register(manager, stat, {.subroute = "a", .run_on = RunOn::kIoThread}).ok());
    EXPECT_EQ(kStat.Register(manager, stat).code(), absl::StatusCode::kAlreadyExists);
    EXPECT_TRUE(kStatLater
                    .Register(manager,
                              [this](const StatRequest& request, RequestContext&)
                                  -> asio::awaitable<absl::StatusOr<StatReply>> {
                                asio::awaitable<void> pause = cluster().Sleep(seconds(1));
                                co_await std::move(pause);
                                StatReply reply;
                                reply.drive = request.drive;
                                co_return reply;
                              })
                    .ok());
    EXPECT_TRUE(kCached
                    .Register(manager,
                              [this](const NoPayload&, RequestContext&)
                                  -> absl::StatusOr<SharedResponse<StatReply>> { return cached_; })
                    .ok());
    EXPECT_TRUE(kBatch
                    .Register(manager,
                              [](const Batch& request, Batch& response, RequestContext&) {
                                response.items.insert(response.items.end(), request.items.begin(),
                                                      request.items.end());
                                if (request.number != 7) response.number = request.number;
                                return absl::OkStatus();
                              })
                    .ok());
    EXPECT_TRUE(kMap.Register(manager,
                              [](const std::optional<StringMap>& map, RequestContext&)
                                  -> absl::StatusOr<std::optional<StringMap>> { return map; })
                    .ok());
    EXPECT_TRUE(kNote
                    .Register(manager,
                              [this](const StatRequest& request, RequestContext&) {
                                noted_ = request.drive;
                                return noted_.empty() ? absl::InvalidArgumentError("empty")
                                                      : absl::OkStatus();
                              })
                    .ok());
    EXPECT_TRUE(
        kShort
            .Register(manager,
                      [](const std::string& text, RequestContext&) -> absl::StatusOr<std::string> {
                        return text + text;
                      })
            .ok());
    EXPECT_TRUE(
        kWho.Register(manager,
                      [](const NoPayload&,
                         RequestContext& context) -> absl::StatusOr<std::vector<std::string>> {
                        return std::vector<std::string>{
                            context.caller().host, context.caller().tls_subject,
                            std::to_string(context.queue_time().count()),
                            context.deadline() == RequestContext::kNoDeadline ? "" : "limited"};
                      })
            .ok());

    EXPECT_TRUE(kFiles.Register(manager, EchoStream).ok());
    EXPECT_TRUE(kSum.Register(manager,
                              [](auto& stream, RequestContext&) -> asio::awaitable<absl::Status> {
                                int sum = 0;
                                asio::awaitable<absl::Status> reading = stream.Results([&](int& n) {
                                  sum += n;
                                  return n < 0 ? absl::OutOfRangeError("negative")
                                               : absl::OkStatus();
                                });
                                const absl::Status read = co_await std::move(reading);
                                if (!read.ok()) co_return read;
                                co_return co_await stream.Write(sum);
                              })
                    .ok());
    EXPECT_TRUE(kCount
                    .Register(manager,
                              [this](const int& count, TypedStream<int, NoPayload>& stream,
                                     RequestContext& context) -> asio::awaitable<absl::Status> {
                                for (int i = 0; i < count; ++i) {
                                  const absl::Status written = co_await stream.Write(i);
                                  if (!written.ok()) {
                                    count_cancelled_ = context.cancelled();
                                    co_return written;
                                  }
                                }
                                co_return absl::OkStatus();
                              })
                    .ok());
    // On the worker pool, which is this thread here: not to be blocked.
    EXPECT_TRUE(kHello
                    .Register(manager,
                              [](TypedStream<std::string, NoPayload>& stream, RequestContext&) {
                                stream.Write("hello", [](const absl::Status&) {});
                                return absl::OkStatus();
                              })
                    .ok());
    EXPECT_TRUE(
        kStarter
            .Register(manager,
                      [this](int start, TypedStream<int, NoPayload> stream, RequestContext&) {
                        kept_.emplace(std::move(stream));
                        kept_->Write(start, [this](absl::Status status) { kept_->Finish(status); });
                      })
            .ok());
  }

  template <typename Handler, typename Req>
  auto Call(const Handler& handler, const Req& request, RequestOptions options = {}) {
    const Connection peer = cluster().Peer(0, 1);
    using Result = std::decay_t<
        decltype(std::declval<Handler>().Call(peer, request, options, asio::use_future).get())>;
    testing::Probe<Result> probe;
    handler.Call(peer, request, options, probe.Handler());
    EXPECT_TRUE(cluster().RunUntil([&] { return probe.done(); }, minutes(2)));
    return std::move(probe.value());
  }

  // Writes all of `out`, then reads to the end.
  template <typename Out, typename In>
  absl::Status Exchange(TypedStream<Out, In>& stream, const std::vector<Out>& out,
                        std::vector<In>* in) {
    absl::Status status = absl::InternalError("not ended");
    cluster().Spawn(
        [](TypedStream<Out, In>& s, const std::vector<Out>& all) -> asio::awaitable<void> {
          for (const Out& value : all) {
            const absl::Status written = co_await s.Write(value);
            if (!written.ok()) co_return;
          }
          s.CloseSend();
        }(stream, out));
    EXPECT_TRUE(cluster().Run(Collect(stream, in, &status)));
    return status;
  }
  template <typename Out, typename In>
  static asio::awaitable<void> Collect(TypedStream<Out, In>& stream, std::vector<In>* in,
                                       absl::Status* status) {
    asio::awaitable<absl::Status> reading = stream.Results([&](In& value) {
      in->push_back(std::move(value));
      return absl::OkStatus();
    });
    *status = co_await std::move(reading);
  }

  SharedResponse<StatReply> cached_ =
      std::make_shared<StatReply>(StatReply{.drive = "cached", .total = 1, .files = {"f"}});
  std::string noted_ = "-";
  int stats_ = 0;
  bool count_cancelled_ = false;
  std::optional<TypedStream<int, NoPayload>> kept_;
};

TEST_F(TypedTest, Call_CarriesValuesBothWays) {
  const auto reply = Call(kStat, StatRequest{.drive = "/d1"});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->drive, "/d1");
  EXPECT_EQ(reply->total, 3U);
  EXPECT_EQ(Call(kStatLater, StatRequest{.drive = "/later"})->drive, "/later");
  ExpectIdle();
}

TEST_F(TypedTest, Call_OverASubrouteThatIsATemporary) {
  testing::Probe<absl::StatusOr<StatReply>> probe;
  kStat.Call(cluster().Peer(0, 1).Subroute("a"), {.drive = "/d"}, {}, probe.Handler());
  cluster().RunFor(seconds(1));
  EXPECT_EQ(probe.value()->drive, "/da");
}

TEST_F(TypedTest, Call_Awaited_KeepsRequestAndHandle) {
  // Neither the handle nor the request lives until the call is awaited.
  std::string drive;
  const auto call = [&](Connection peer) -> asio::awaitable<void> {
    auto pending = kStat.Call(peer.Subroute("a"), {.drive = std::string(100, 'd')});
    absl::StatusOr<StatReply> reply = co_await std::move(pending);
    if (reply.ok()) drive = reply->drive;
  };
  ASSERT_TRUE(cluster().Run(call(cluster().Peer(0, 1))));
  EXPECT_EQ(drive, std::string(100, 'd') + "a");
}

TEST_F(TypedTest, HandlersError_IsRemoteAndExecuted) {
  const auto reply = Call(kStat, StatRequest{});
  EXPECT_EQ(reply.status().message(), "no drive is named");
  EXPECT_TRUE(IsRemote(reply.status()));
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kExecuted);
}

TEST_F(TypedTest, RequestThatCantBeDecoded_IsAnErrorThatNamesTheField) {
  const auto reply = Call(kStatAsOther, OtherRequest{.drive = 5});
  EXPECT_EQ(reply.status().message(), "request: field \"drive\" has the wrong type");
  EXPECT_TRUE(IsRemote(reply.status()));
  EXPECT_EQ(stats_, 0) << "the handler is not called";
  EXPECT_TRUE(Call(kStat, StatRequest{.drive = "/d"}).ok()) << "the connection goes on";
}

TEST_F(TypedTest, ReplyThatCantBeDecoded_IsAnErrorThatNamesTheField) {
  const auto reply = Call(kStatReadAsOther, StatRequest{.drive = "/d"});
  EXPECT_EQ(reply.status().message(), "reply: field \"drive\" has the wrong type");
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kExecuted);
  EXPECT_FALSE(IsRemote(reply.status()));
}

TEST_F(TypedTest, Limits_HoldForBothEnds) {
  EXPECT_EQ(*Call(kShort, std::string("abcd")), "abcdabcd");
  const auto request = Call(kShort, std::string("123456789"));
  EXPECT_EQ(request.status().message(), "request: the value is longer than the limit (8 bytes)");
  EXPECT_TRUE(IsRemote(request.status()));
  const auto reply = Call(kShort, std::string("12345"));
  EXPECT_EQ(reply.status().message(), "reply: the value is longer than the limit (8 bytes)");
  EXPECT_FALSE(IsRemote(reply.status()));
}

TEST_F(TypedTest, NilIsToldFromEmpty) {
  EXPECT_FALSE(Call(kMap, std::optional<StringMap>())->has_value());
  EXPECT_TRUE((*Call(kMap, std::optional<StringMap>(StringMap())))->empty());
}

TEST_F(TypedTest, NoPayload_EitherWay) {
  EXPECT_TRUE(Call(kNote, StatRequest{.drive = "/n"}).ok());
  EXPECT_EQ(noted_, "/n");
  EXPECT_EQ(Call(kNote, StatRequest{}).status().message(), "empty");
}

TEST_F(TypedTest, SharedResponse_IsSentAndStays) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Call(kCached, NoPayload())->files.size(), 1U);
  EXPECT_EQ(cached_.use_count(), 1);
  EXPECT_EQ(cached_->files.at(0), "f");
  cached_ = nullptr;
  EXPECT_EQ(Call(kCached, NoPayload()).status().message(), "the handler gave no response");
}

TEST_F(TypedTest, RecycledValues_NeverShowOldFields) {
  const Batch full{.items = {"a", "b"}, .number = 9};
  for (int i = 0; i < 50; ++i) {
    const auto first = Call(kBatch, full);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(first->items.size(), 2U);
    EXPECT_EQ(first->number, 9);
    // Carries neither: {} leaves both at their default.
    const Reply raw = cluster().Call(0, 1, kBatch.id(), AsBytes("\x80"));
    ASSERT_TRUE(raw.ok()) << raw.status();
    Batch second;
    ASSERT_TRUE(Decode(raw->view(), second).ok());
    EXPECT_TRUE(second.items.empty());
    EXPECT_EQ(second.number, 7);
  }
}

TEST_F(TypedTest, Context_TellsCallerDeadlineAndQueueTime) {
  const auto who = Call(kWho, NoPayload());
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->at(0), cluster().name(0));
  EXPECT_EQ(who->at(1), "");
  EXPECT_EQ(who->at(2), "0") << "nobody waits on the virtual clock";
  EXPECT_EQ(who->at(3), "limited");
}

TEST_F(TypedTest, NotConnected_IsNotSent) {
  cluster().Kill(1);
  const auto reply = Call(kStat, StatRequest{.drive = "/d"});
  EXPECT_TRUE(IsDisconnected(reply.status()));
  EXPECT_FALSE(kCount.Open(cluster().Peer(0, 1), 1).ok());
}

TEST_F(TypedTest, Cancellation_GoesThroughTheDecodingHandler) {
  asio::cancellation_signal signal;
  testing::Probe<absl::StatusOr<StatReply>> probe;
  const Connection peer = cluster().Peer(0, 1);
  kStatLater.Call(peer, {.drive = "/d"}, {},
                  asio::bind_cancellation_slot(signal.slot(), probe.Handler()));
  cluster().RunFor(milliseconds(100));
  signal.emit(asio::cancellation_type::terminal);
  cluster().RunFor(milliseconds(100));
  ASSERT_TRUE(probe.done());
  EXPECT_EQ(probe.value().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(TypedTest, Stream_BothWaysWithPayload) {
  auto stream = kFiles.Open(cluster().Peer(0, 1), {.drive = "/s"});
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<StatReply> replies;
  std::vector<std::string> files;
  for (int i = 0; i < 40; ++i) files.push_back(std::string(i, 'f'));
  EXPECT_TRUE(Exchange(*stream, files, &replies).ok());
  ASSERT_EQ(replies.size(), 40U);
  for (size_t i = 0; i < replies.size(); ++i) {
    EXPECT_EQ(replies[i].drive, "/s");
    EXPECT_EQ(replies[i].total, i);
    EXPECT_EQ(replies[i].files.at(0), files[i]);
  }
  ExpectIdle();
}

TEST_F(TypedTest, Stream_WithoutPayload) {
  auto stream = kSum.Open(cluster().Peer(0, 1));
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<int> sum;
  EXPECT_TRUE(Exchange(*stream, {1, 2, 3, 4, 5, 6}, &sum).ok());
  EXPECT_EQ(sum, std::vector<int>{21});
}

TEST_F(TypedTest, Stream_HandlersCallbackError_EndsIt) {
  auto stream = kSum.Open(cluster().Peer(0, 1));
  ASSERT_TRUE(stream.ok());
  std::vector<int> sum;
  const absl::Status ended = Exchange(*stream, {1, -2, 3}, &sum);
  EXPECT_EQ(ended.message(), "negative");
  EXPECT_TRUE(IsRemote(ended));
  EXPECT_TRUE(sum.empty());
}

TEST_F(TypedTest, Stream_WithoutInput) {
  auto stream = kCount.Open(cluster().Peer(0, 1), 25);
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<int> numbers;
  absl::Status status;
  EXPECT_TRUE(cluster().Run(Collect(*stream, &numbers, &status)));
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(numbers.size(), 25U);
  EXPECT_EQ(numbers.back(), 24);
}

TEST_F(TypedTest, Stream_WithNeither) {
  auto stream = kHello.Open(cluster().Peer(0, 1));
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<std::string> text;
  absl::Status status;
  EXPECT_TRUE(cluster().Run(Collect(*stream, &text, &status)));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(text, std::vector<std::string>{"hello"});
}

TEST_F(TypedTest, Stream_ServedByAStarter) {
  auto stream = kStarter.Open(cluster().Peer(0, 1), 11);
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<int> numbers;
  absl::Status status;
  EXPECT_TRUE(cluster().Run(Collect(*stream, &numbers, &status)));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(numbers, std::vector<int>{11});
  kept_.reset();
}

TEST_F(TypedTest, Results_CancelsWhenTheCallbackFails) {
  auto stream = kCount.Open(cluster().Peer(0, 1), 1'000'000);
  ASSERT_TRUE(stream.ok());
  absl::Status status;
  int seen = 0;
  EXPECT_TRUE(cluster().Run([](TypedStream<NoPayload, int>& numbers, absl::Status& ended,
                               int& count) -> asio::awaitable<void> {
    asio::awaitable<absl::Status> reading = numbers.Results([&](int& n) {
      ++count;
      return n == 10 ? absl::DataLossError("enough") : absl::OkStatus();
    });
    ended = co_await std::move(reading);
  }(*stream, status, seen)));
  EXPECT_EQ(status.message(), "enough");
  EXPECT_EQ(seen, 11);
  cluster().RunFor(seconds(1));
  EXPECT_TRUE(count_cancelled_) << "the handler is told";
  ExpectIdle();
}

TEST_F(TypedTest, StreamPayloadThatCantBeDecoded_EndsTheStream) {
  auto stream = kFilesAsOther.Open(cluster().Peer(0, 1), {.drive = 1});
  ASSERT_TRUE(stream.ok());
  std::vector<StatReply> replies;
  absl::Status status;
  EXPECT_TRUE(cluster().Run(Collect(*stream, &replies, &status)));
  EXPECT_EQ(status.message(), "payload: field \"drive\" has the wrong type");
}

TEST_F(TypedTest, StreamMessageThatCantBeDecoded_IsAnErrorOfRead) {
  auto stream = kFilesWritingInts.Open(cluster().Peer(0, 1), {.drive = "/s"});
  ASSERT_TRUE(stream.ok());
  std::vector<StatReply> replies;
  const absl::Status status = Exchange(*stream, {1}, &replies);
  EXPECT_EQ(status.message(), "message: the value has the wrong type");
  EXPECT_TRUE(IsRemote(status)) << "the handler has returned what Read gave it";
}

TEST(TypedHandler, IsAConstant) {
  static_assert(kFiles.id() == HandlerId{30});
  static_assert(kFiles.capacities().out == 3);
  static_assert(kShort.limits().max_length == 8);
  static_assert(kSum.kHasInput && !kCount.kHasInput);
}

}  // namespace
}  // namespace grid
