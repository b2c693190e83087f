// Compression between whole managers: both sides with it, neither, and either one alone; with
// dictionaries, and without.
#include <tuple>

#include "handlers/single_handler.h"
#include "handlers/stream_handler.h"
#include "serialization/train_dictionary.h"
#include "tests/json_payload.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

using test::JsonPayload;
using test::JsonPayloads;

constexpr HandlerId kWorker{110};     // echo, compressed answers
constexpr HandlerId kIo{111};         // the same on the I/O thread
constexpr HandlerId kCoroutine{112};  // the same as a coroutine
constexpr HandlerId kSmall{113};      // with the dictionary, of answers of any size
constexpr HandlerId kStream{114};     // echo, in and out 4
constexpr Compression kOn{.enabled = true};
constexpr uint32_t kDictionary = 42;
constexpr Compression kWithDictionary{.enabled = true, .min_bytes = 1, .dictionary = kDictionary};

const std::string& Dictionary() {
  static const std::string made = *TrainDictionary(JsonPayloads(500, 200), 4096, kDictionary);
  return made;
}

class CompressionTest : public ScenarioTest {
 protected:
  // What node i offers: a level, and whether it has the dictionary.
  struct Offer {
    uint32_t level = 1;
    bool dictionary = false;
  };

  void StartWith(Offer first, Offer second, bool first_dials = true,
                 std::function<void(ManagerOptions&)> adjust = {}) {
    offers_ = {first, second};
    testing::ClusterOptions options;
    options.names = testing::NamesForDialDirection(first_dials);
    options.adjust = [this, adjust](int node, ManagerOptions& manager) {
      manager.extensions.zstd_level = offers_[node].level;
      if (offers_[node].dictionary) manager.dictionaries = {Dictionary()};
      if (adjust) adjust(manager);
    };
    options.setup = [this](int node, Manager& manager) { Register(manager, offers_[node]); };
    MakeAndStart(options);
  }

  static void Register(Manager& manager, const Offer& offer) {
    const SingleFunction echo = [](BytesView request, RequestContext&) -> Reply {
      return Buffer::CopyOf(request);
    };
    const SingleCoroutine later = [](Buffer request, RequestContext&) -> asio::awaitable<Reply> {
      co_return std::move(request);
    };
    const StreamCoroutine stream = [](Stream& messages,
                                      RequestContext&) -> asio::awaitable<absl::Status> {
      absl::Status first = co_await messages.Write(messages.initial());
      if (!first.ok()) co_return first;
      for (;;) {
        ReadResult read = co_await messages.Read();
        if (!read.ok()) co_return read.status();
        if (!read->has_value()) co_return absl::OkStatus();
        absl::Status written = co_await messages.Write(**read);
        if (!written.ok()) co_return written;
      }
    };
    const Compression small = offer.dictionary ? kWithDictionary : kOn;
    EXPECT_TRUE(manager.RegisterSingle({.id = kWorker, .compression = kOn}, echo).ok());
    EXPECT_TRUE(
        manager.RegisterSingle({.id = kIo, .run_on = RunOn::kIoThread, .compression = kOn}, echo)
            .ok());
    EXPECT_TRUE(manager.RegisterSingle({.id = kCoroutine, .compression = kOn}, later).ok());
    EXPECT_TRUE(manager.RegisterSingle({.id = kSmall, .compression = small}, echo).ok());
    EXPECT_TRUE(
        manager
            .RegisterStream(
                {.id = kStream, .in_capacity = 4, .out_capacity = 4, .compression = kOn}, stream)
            .ok());
  }
  void ExpectCompressed(uint64_t out, uint64_t in) {
    EXPECT_EQ(Stats(0, 1).compressed_out, out);
    EXPECT_EQ(Stats(0, 1).compressed_in, in);
    EXPECT_EQ(Stats(1, 0).compressed_out, in);
    EXPECT_EQ(Stats(1, 0).compressed_in, out);
    EXPECT_EQ(Stats(0, 1).saved_bytes_out, Stats(1, 0).saved_bytes_in);
    EXPECT_EQ(Stats(0, 1).saved_bytes_out > 0, out > 0);
    for (const int node : {0, 1}) {
      EXPECT_TRUE(Stats(node, 1 - node).drops.empty())
          << Stats(node, 1 - node).drops.begin()->first;
    }
  }
  void Echo(HandlerId handler, const std::string& payload, const RequestOptions& options) {
    const Reply reply = cluster().Call(0, 1, handler, AsBytes(payload), options);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_TRUE(reply->text() == payload);
  }
  std::vector<std::string> EchoAll(const std::vector<std::string>& messages) {
    std::vector<std::string> echoed;
    EXPECT_TRUE(cluster().Run([](Connection peer, const std::vector<std::string>& in,
                                 std::vector<std::string>& out) -> asio::awaitable<void> {
      const StreamOptions options{
          .has_input = true, .in_capacity = 4, .out_capacity = 4, .compression = kOn};
      absl::StatusOr<Stream> stream = peer.OpenStream(kStream, AsBytes(in[0]), options);
      for (size_t i = 0; i < in.size(); ++i) {
        if (i > 0) {
          absl::Status written = co_await stream->Write(AsBytes(in[i]));
          if (!written.ok()) co_return;
        }
        ReadResult read = co_await stream->Read();
        if (!read.ok() || !read->has_value()) co_return;
        out.emplace_back((*read)->text());
      }
      stream->CloseSend();
      ReadResult end = co_await stream->Read();
      if (end.ok() && !end->has_value()) out.emplace_back("<end>");
    }(cluster().Peer(0, 1), messages, echoed)));
    return echoed;
  }

 private:
  std::vector<Offer> offers_;
};

// Whether the node that dials, and the one that is dialled, offer zstd.
class CompressionScenarios : public CompressionTest,
                             public ::testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  static bool Both() { return std::get<0>(GetParam()) && std::get<1>(GetParam()); }
  void StartBoth() {
    StartWith({.level = std::get<0>(GetParam()) ? 3u : 0u},
              {.level = std::get<1>(GetParam()) ? 1u : 0u});
  }
};

TEST_P(CompressionScenarios, CallsAreTheSame) {
  StartBoth();
  const std::string payload = JsonPayload(20'000);
  for (const HandlerId handler : {kWorker, kIo, kCoroutine}) {
    Echo(handler, payload, {.compression = kOn});
  }
  ExpectCompressed(Both() ? 3 : 0, Both() ? 3 : 0);
}

TEST_P(CompressionScenarios, StreamsAreTheSame) {
  StartBoth();
  const std::vector<std::string> messages = {JsonPayload(3000), "small", JsonPayload(1'000'000), "",
                                             JsonPayload(2000)};
  std::vector<std::string> expected = messages;
  expected.emplace_back("<end>");
  EXPECT_TRUE(EchoAll(messages) == expected);
  ExpectCompressed(Both() ? 3 : 0, Both() ? 3 : 0);
}

INSTANTIATE_TEST_SUITE_P(DialerAndAcceptor, CompressionScenarios,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

TEST_F(CompressionTest, OffUnlessAskedFor) {
  StartWith({}, {});
  const std::string payload = JsonPayload(20'000);
  Echo(kWorkerEcho, payload, {});
  ExpectCompressed(0, 0);
  // Each end for what it sends.
  Echo(kWorkerEcho, payload, {.compression = kOn});
  ExpectCompressed(1, 0);
  Echo(kWorker, payload, {});
  ExpectCompressed(1, 1);
}

TEST_F(CompressionTest, BelowTheThreshold_IsNotTried) {
  StartWith({}, {});
  Echo(kWorker, std::string(1023, 'x'), {.compression = kOn});
  ExpectCompressed(0, 0);
  Echo(kWorker, std::string(1024, 'x'), {.compression = kOn});
  ExpectCompressed(1, 1);
  EXPECT_EQ(Stats(0, 1).compression_skipped, 0u);
}

TEST_F(CompressionTest, WorthNothing_IsSentAsItIs) {
  StartWith({}, {});
  std::string noise(5000, '\0');
  testing::Random random(7);
  for (char& c : noise) c = static_cast<char>(random.Next());
  Echo(kWorker, noise, {.compression = kOn});
  ExpectCompressed(0, 0);
  EXPECT_EQ(Stats(0, 1).compression_skipped, 1u);
  EXPECT_EQ(Stats(1, 0).compression_skipped, 1u);
}

TEST_F(CompressionTest, LargerThanAMessage_GoesInFragments) {
  StartWith({}, {});
  const std::string payload = JsonPayload(40 << 20);
  for (const HandlerId handler : {kWorker, kIo}) {
    Echo(handler, payload, {.compression = kOn});
  }
  ExpectCompressed(2, 2);
}

TEST_F(CompressionTest, NoFragmentsAndNoCredits) {
  StartWith({}, {}, true, [](ManagerOptions& options) {
    options.extensions.fragment_bytes = 0;
    options.extensions.credits = false;
  });
  const std::string payload = JsonPayload(300'000);
  Echo(kWorker, payload, {.compression = kOn});
  EXPECT_EQ(EchoAll({payload, payload}).size(), 3u);
  ExpectCompressed(3, 3);
}

TEST_F(CompressionTest, Dictionary_IsUsedWhereBothHaveIt) {
  const std::string payload = JsonPayload(200, 3);
  uint64_t with = 0;
  for (const bool both : {true, false}) {
    StartWith({.dictionary = true}, {.dictionary = both});
    Echo(kSmall, payload, {.compression = kWithDictionary});
    const uint64_t saved = Stats(0, 1).saved_bytes_out;
    if (both) {
      ExpectCompressed(1, 1);
      EXPECT_GT(saved, payload.size() / 2);
      with = saved;
    } else {
      EXPECT_LT(saved, with);  // without one, if at all
      EXPECT_EQ(Stats(1, 0).compressed_out, 0u);
    }
  }
}

TEST_F(CompressionTest, DictionaryThatIsNotThere_IsAnError) {
  StartWith({}, {});
  const Reply reply = cluster().Call(0, 1, kSmall, AsBytes("x"), {.compression = kWithDictionary});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
  EXPECT_EQ(reply.status().message(),
            "there is no dictionary 42 among ManagerOptions::dictionaries");
  EXPECT_EQ(cluster()
                .Peer(0, 1)
                .OpenStream(kStream, {}, {.compression = kWithDictionary})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  const SingleFunction none = [](BytesView, RequestContext&) -> Reply { return Buffer(); };
  const absl::Status registered = cluster().manager(0).RegisterSingle(
      {.id = HandlerId{120}, .compression = kWithDictionary}, none);
  EXPECT_EQ(registered.message(),
            "handler 120: there is no dictionary 42 among ManagerOptions::dictionaries");
}

TEST_F(CompressionTest, WaitsForAConnection_IsCompressedThen) {
  StartWith({}, {});
  const std::string payload = JsonPayload(20'000);
  cluster().Sever(0, 1);
  const auto lost = [&] { return cluster().Peer(0, 1).state() != ConnectionState::kConnected; };
  ASSERT_TRUE(cluster().RunUntil(lost, seconds(5)));
  Echo(kWorker, payload, {.wait_for_ready = true, .compression = kOn});
  EXPECT_EQ(Stats(0, 1).compressed_out, 1u);
}

TEST_F(CompressionTest, TypedHandlers) {
  constexpr SingleHandler<std::string, std::string> kUpper{HandlerId{121}};
  constexpr StreamHandler<NoPayload, std::string, std::string> kLines{HandlerId{122}};
  StartWith({}, {});
  Manager& server = cluster().manager(1);
  const auto same = [](const std::string& in, RequestContext&) -> absl::StatusOr<std::string> {
    return in;
  };
  ASSERT_TRUE(kUpper.Register(server, same, {.compression = kOn}).ok());
  const auto lines = [](auto& stream, RequestContext&) -> asio::awaitable<absl::Status> {
    absl::StatusOr<std::optional<std::string>> line = co_await stream.Read();
    if (!line.ok()) co_return line.status();
    absl::Status written = co_await stream.Write(**line);
    co_return written;
  };
  ASSERT_TRUE(kLines.Register(server, lines, "", Priority::kDefault, kOn).ok());
  const std::string payload = JsonPayload(10'000);
  bool same_text = false, same_line = false;
  ASSERT_TRUE(cluster().Run([](Connection peer, const std::string& in, auto upper, auto stream_of,
                               bool& text, bool& line) -> asio::awaitable<void> {
    const RequestOptions options{.compression = kOn};
    absl::StatusOr<std::string> reply = co_await upper.Call(peer, in, options);
    text = reply.ok() && *reply == in;
    const OpenOptions open{.compression = kOn};
    auto stream = stream_of.Open(peer, open);
    absl::Status written = co_await stream->Write(in);
    absl::StatusOr<std::optional<std::string>> read = co_await stream->Read();
    line = written.ok() && read.ok() && read->has_value() && **read == in;
  }(cluster().Peer(0, 1), payload, kUpper, kLines, same_text, same_line)));
  EXPECT_TRUE(same_text);
  EXPECT_TRUE(same_line);
  EXPECT_EQ(Stats(0, 1).compressed_out, 2u);
  EXPECT_EQ(Stats(0, 1).compressed_in, 2u);
}

}  // namespace
}  // namespace grid
