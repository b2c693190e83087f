// Traces, metadata and handler ids above 255 between whole managers.
#include <gmock/gmock.h>

#include <tuple>

#include "handlers/single_handler.h"
#include "handlers/stream_handler.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

using ::testing::HasSubstr;

constexpr char kTraceText[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kBelow42[] = "00-0af7651916cd43dd8448eb211c80319c-0000000000000042-01";

// Each answers with what it was told.
constexpr HandlerId kTellHere{110};  // on the I/O thread
constexpr HandlerId kTellOnWorker{111};
constexpr HandlerId kTellLater{112};   // a coroutine, after a while
constexpr HandlerId kTellStream{113};  // a stream on a worker: its one message
constexpr HandlerId kPassOn{114};      // asks the last node, in the same trace
constexpr HandlerId kAbove{300};
constexpr HandlerId kStreamAbove{65535};
constexpr SingleHandler<NoPayload, std::string> kTyped{HandlerId{115}};
constexpr StreamHandler<NoPayload, NoPayload, std::string> kTypedStream{HandlerId{116}};

std::string Told(const RequestContext& context) {
  std::string told = context.trace().ToString();
  for (const MetadataView::Entry entry : context.metadata()) {
    told += " " + std::string(entry.key) + "=" + std::string(entry.value);
  }
  return told.empty() ? "nothing" : told;
}

class MetaScenarios : public ScenarioTest {
 protected:
  MetaScenarios() {
    EXPECT_TRUE(tags_.Add("tenant", "blue").ok());
    EXPECT_TRUE(tags_.Add("try", "2").ok());
  }

  void Register(Manager& manager, int last) {
    const SingleFunction tell = [](BytesView, RequestContext& context) -> Reply {
      return Buffer::CopyOf(Told(context));
    };
    ASSERT_TRUE(manager.RegisterSingle({.id = kTellHere, .run_on = RunOn::kIoThread}, tell).ok());
    ASSERT_TRUE(manager.RegisterSingle({.id = kTellOnWorker}, tell).ok());
    ASSERT_TRUE(manager.RegisterSingle({.id = kAbove}, tell).ok());
    ASSERT_TRUE(manager.RegisterSingle({.id = kAbove, .subroute = "a/b"}, tell).ok());
    ASSERT_TRUE(
        manager
            .RegisterSingle(
                {.id = kTellLater},
                SingleCoroutine([this](Buffer, RequestContext& context) -> asio::awaitable<Reply> {
                  asio::awaitable<void> pause = cluster().Sleep(seconds(1));
                  co_await std::move(pause);
                  co_return Buffer::CopyOf(Told(context));
                }))
            .ok());
    const StreamCoroutine tell_stream =
        [](Stream& stream, RequestContext& context) -> asio::awaitable<absl::Status> {
      const std::string told = Told(context);
      co_return co_await stream.Write(AsBytes(told));
    };
    ASSERT_TRUE(manager.RegisterStream({.id = kTellStream}, tell_stream).ok());
    ASSERT_TRUE(manager.RegisterStream({.id = kStreamAbove}, tell_stream).ok());
    ASSERT_TRUE(
        manager
            .RegisterSingle(
                {.id = kPassOn},
                SingleCoroutine([this, last, &manager](
                                    Buffer, RequestContext& context) -> asio::awaitable<Reply> {
                  const RequestOptions options{.trace = context.trace().Child(0x42),
                                               .metadata = context.metadata()};
                  Connection peer = manager.Connection(cluster().name(last));
                  Reply told = co_await peer.Request(kTellLater, {}, options);
                  co_return told;
                }))
            .ok());
    ASSERT_TRUE(
        kTyped
            .Register(manager,
                      [](const NoPayload&, RequestContext& context) -> absl::StatusOr<std::string> {
                        return Told(context);
                      })
            .ok());
    ASSERT_TRUE(
        kTypedStream
            .Register(manager,
                      [](auto& stream, RequestContext& context) -> asio::awaitable<absl::Status> {
                        const std::string told = Told(context);
                        co_return co_await stream.Write(told);
                      })
            .ok());
  }

  void MakeAndStartWith(int nodes, std::vector<ExtensionOptions> extensions = {}) {
    testing::ClusterOptions options{.nodes = nodes};
    if (nodes == 2) options.names = testing::NamesForDialDirection(true);
    options.adjust = [extensions](int node, ManagerOptions& manager) {
      if (!extensions.empty()) manager.extensions = extensions[node];
    };
    options.setup = [this, nodes](int, Manager& manager) { Register(manager, nodes - 1); };
    MakeAndStart(options);
  }

  RequestOptions Options() {
    return {.trace = *TraceContext::Parse(kTraceText), .metadata = tags_};
  }
  std::string Ask(int from, int to, HandlerId handler, RequestOptions options) {
    return Text(cluster().Call(from, to, handler, AsBytes("x"), options));
  }
  // The first message of a stream.
  std::string AskStream(int from, int to, HandlerId handler, StreamOptions options) {
    std::string told;
    cluster().Run([](Connection peer, HandlerId id, StreamOptions with,
                     std::string& out) -> asio::awaitable<void> {
      absl::StatusOr<Stream> stream = peer.OpenStream(id, {}, with);
      if (!stream.ok()) {
        out = stream.status().ToString();
        co_return;
      }
      ReadResult read = co_await stream->Read();
      out = !read.ok()          ? read.status().ToString()
            : read->has_value() ? std::string((*read)->text())
                                : "<end>";
    }(cluster().Peer(from, to), handler, options, told));
    return told;
  }

  Metadata tags_;
};

TEST_F(MetaScenarios, EveryKindOfHandlerIsTold) {
  MakeAndStartWith(2);
  const std::string all = std::string(kTraceText) + " tenant=blue try=2";
  for (const HandlerId handler : {kTellHere, kTellOnWorker, kTellLater}) {
    EXPECT_EQ(Ask(0, 1, handler, Options()), all);
    EXPECT_EQ(Ask(0, 1, handler, {}), "nothing");
    EXPECT_EQ(Ask(1, 0, handler, {.metadata = tags_}), " tenant=blue try=2");
  }
  const RequestOptions request = Options();
  const StreamOptions stream{.trace = request.trace, .metadata = request.metadata};
  EXPECT_EQ(AskStream(0, 1, kTellStream, stream), all);
  EXPECT_EQ(AskStream(1, 0, kTellStream, {}), "nothing");
}

TEST_F(MetaScenarios, TypedHandlersAreTold) {
  MakeAndStartWith(2);
  const std::string all = std::string(kTraceText) + " tenant=blue try=2";
  std::string single, stream;
  const RequestOptions options = Options();
  cluster().Run([](Connection peer, RequestOptions with, std::string& one,
                   std::string& first) -> asio::awaitable<void> {
    const NoPayload nothing;
    absl::StatusOr<std::string> reply = co_await kTyped.Call(peer, nothing, with);
    one = reply.ok() ? *reply : reply.status().ToString();
    auto opened = kTypedStream.Open(peer, {.trace = with.trace, .metadata = with.metadata});
    if (!opened.ok()) co_return;
    absl::StatusOr<std::optional<std::string>> read = co_await opened->Read();
    if (read.ok() && read->has_value()) first = **read;
  }(cluster().Peer(0, 1), options, single, stream));
  EXPECT_EQ(single, all);
  EXPECT_EQ(stream, all);
}

TEST_F(MetaScenarios, ATraceCrossesThreeNodes) {
  MakeAndStartWith(3);
  EXPECT_EQ(Ask(0, 1, kPassOn, Options()), std::string(kBelow42) + " tenant=blue try=2");
  EXPECT_EQ(Ask(0, 1, kPassOn, {}), "nothing");
}

TEST_F(MetaScenarios, CallsThatWait_KeepACopy) {
  testing::ClusterOptions options{.names = testing::NamesForDialDirection(true)};
  options.setup = [this](int, Manager& manager) { Register(manager, 1); };
  Make(options);
  ASSERT_TRUE(cluster().Start(0).ok());
  ReplyProbe probe;
  {
    Metadata tags = tags_;
    RequestOptions waiting = Options();
    waiting.wait_for_ready = true;
    waiting.metadata = tags;
    cluster().Peer(0, 1).Request(kTellOnWorker, AsBytes("x"), waiting, probe.Handler());
    tags = Metadata();
    EXPECT_TRUE(tags.Add("another", "one").ok());
  }
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, seconds(20)));
  EXPECT_EQ(Text(probe.value()), std::string(kTraceText) + " tenant=blue try=2");
}

// Whether the node that dials, and the one that is dialled, offer them.
class MetaOffers : public MetaScenarios,
                   public ::testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  static bool Both() { return std::get<0>(GetParam()) && std::get<1>(GetParam()); }
  void SetUp() override {
    const auto [dialer, acceptor] = GetParam();
    MakeAndStartWith(
        2, {{.meta = dialer, .handlers16 = dialer}, {.meta = acceptor, .handlers16 = acceptor}});
  }
  void TearDown() override {
    for (const int node : {0, 1}) EXPECT_EQ(Drops(node, 1 - node, "unknown-flags"), 0u);
    ScenarioTest::TearDown();
  }
};

TEST_P(MetaOffers, Meta_TravelsWhereBothOfferIt) {
  const std::string all = Both() ? std::string(kTraceText) + " tenant=blue try=2" : "nothing";
  const RequestOptions request = Options();
  for (const int node : {0, 1}) {
    EXPECT_EQ(Ask(node, 1 - node, kTellHere, request), all);
    EXPECT_EQ(AskStream(node, 1 - node, kTellStream,
                        {.trace = request.trace, .metadata = request.metadata}),
              all);
    EXPECT_EQ(Drops(node, 1 - node, "metadata-not-sent"), Both() ? 0u : 2u);
  }
}

TEST_P(MetaOffers, HandlersAbove255_AreCalledWhereBothOfferIt) {
  for (const int node : {0, 1}) {
    const Reply reply = cluster().Call(node, 1 - node, kAbove, AsBytes("x"));
    ReplyProbe routed;
    cluster().Peer(node, 1 - node).Subroute("a/b").Request(kAbove, {}, {}, routed.Handler());
    ASSERT_TRUE(cluster().RunUntil([&] { return routed.done(); }, seconds(10)));
    const std::string stream = AskStream(node, 1 - node, kStreamAbove, {});
    if (Both()) {
      EXPECT_EQ(Text(reply), "nothing");
      EXPECT_EQ(Text(routed.value()), "nothing");
      EXPECT_EQ(stream, "nothing");
      const Reply unknown = cluster().Call(node, 1 - node, HandlerId{301}, AsBytes("x"));
      EXPECT_EQ(DeliveryOf(unknown.status()), Delivery::kRejected);
      EXPECT_THAT(Text(unknown), HasSubstr("Invalid Handler for type: 301"));
      continue;
    }
    for (const absl::Status& status : {reply.status(), routed.value().status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
      EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
      EXPECT_THAT(std::string(status.message()), HasSubstr("handlers16"));
    }
    EXPECT_THAT(stream, HasSubstr("handlers16"));
    EXPECT_EQ(Drops(node, 1 - node, "handler-not-sent"), 3u);
  }
}

INSTANTIATE_TEST_SUITE_P(DialerAndAcceptor, MetaOffers,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

}  // namespace
}  // namespace grid
