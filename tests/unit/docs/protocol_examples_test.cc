// The worked examples of grid/PROTOCOL.md: decoded field by field, and held against what the
// library sends in the situations that they show.
//
// A block "hex <name>" holds messages with an empty line between them; lines that begin with # are
// for the reader.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/mux/session.h"
#include "grid/runtime/handshake.h"
#include "tests/unit/docs/annotate.h"
#include "tests/unit/docs/markdown.h"

namespace grid::docs {
namespace {

using std::chrono::seconds;

const std::string& Document() {
  static const std::string text = ReadSource("grid/PROTOCOL.md");
  return text;
}

// The bytes of one line: everything before the column of the notes.
std::string BytesOf(const std::string& line) {
  std::string bytes;
  for (size_t i = 0; i + 1 < line.size() && line[i] != ' '; i += 3) {
    bytes += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

struct Example {
  std::string bytes;
  std::string lines;  // as the document shows them
};

std::vector<Example> Examples(const std::string& block) {
  std::vector<Example> examples(1);
  for (const std::string& line : Lines(block)) {
    if (line.starts_with('#')) continue;
    if (line.empty()) {
      examples.emplace_back();
      continue;
    }
    examples.back().bytes += BytesOf(line);
    examples.back().lines += line + "\n";
  }
  return examples;
}

std::vector<std::string> BytesOfExamples(std::string_view name) {
  std::vector<std::string> bytes;
  for (Example& example : Examples(BlockText(Document(), "hex " + std::string(name)))) {
    bytes.push_back(std::move(example.bytes));
  }
  return bytes;
}

// What is to be shown instead, when an example is not what the library sends.
std::string Shown(const std::vector<std::string>& messages) {
  std::string shown;
  for (const std::string& message : messages) {
    shown += (shown.empty() ? "" : "\n") + Annotator::Annotate(AsBytes(message));
  }
  return shown;
}

TEST(ProtocolExamples, EveryFieldIsWhatTheCodecReads) {
  int examples = 0;
  for (const Block& block : Blocks(Document())) {
    if (!block.info.starts_with("hex ")) continue;
    for (const Example& example : Examples(block.text)) {
      SCOPED_TRACE(block.info);
      EXPECT_EQ(Annotator::Annotate(AsBytes(example.bytes)), example.lines);
      ++examples;
    }
  }
  EXPECT_GE(examples, 15);
}

constexpr TimePoint kNow{seconds(1)};

// One end of a connection whose messages are taken out one by one.
class End final : public SessionHost, public StreamSink {
 public:
  explicit End(const HandlerTable& handlers, const Extensions& extensions = {})
      : session(Config(extensions), handlers, *pool_, counters_, *this, kNow) {}

  // SessionHost
  void OnReply(PendingCall*, BytesView payload) override { read += AsText(payload); }
  void OnCallFailed(PendingCall*, const absl::Status& status) override {
    read += "<" + absl::Status(status.code(), status.message()).ToString() + ">";
  }
  Admit OnRequest(const HandlerEntry&, const InboundRequest& request, RunningRequest**) override {
    told = request.meta.trace.ToString();
    for (const MetadataView::Entry entry : request.meta.metadata) {
      told += " " + std::string(entry.key) + "=" + std::string(entry.value);
    }
    session.Answer(request, nullptr, request.payload, kNow);
    return Admit::kAnswered;
  }
  void OnRequestCancelled(RunningRequest*, const absl::Status&) override {}
  StreamSink* OnStream(const HandlerEntry&, const InboundStream& stream) override {
    mux = stream.mux;
    return this;
  }
  void OnSessionEnd(SessionEnd why, std::string_view detail) override {
    ADD_FAILURE() << SessionEndName(why) << ": " << detail;
  }
  // StreamSink
  void OnData(BytesView payload) override { read += AsText(payload); }
  void OnPiece(BytesView payload, bool last) override {
    read += std::string(AsText(payload)) + (last ? "." : "-");
  }
  void OnEof() override { read += "<eof>"; }
  void OnSendable() override {}
  void OnEnd(const absl::Status& status) override { read += "<" + status.ToString() + ">"; }

 private:
  static SessionConfig Config(const Extensions& extensions) {
    SessionConfig config;
    config.extensions = extensions;
    config.codec = *ZstdCodec::Create({});
    config.wall_start = WallTime(std::chrono::milliseconds(1'700'000'000'500));
    return config;
  }

  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  SessionCounters counters_;

 public:
  Session session;
  StreamMux* mux = nullptr;
  PendingCall call;
  std::string read;
  std::string told;  // with the last request
};

class WorkedExample : public testing::Test {
 protected:
  WorkedExample() {
    const SingleFunction single = [](BytesView, RequestContext&) { return Buffer(); };
    const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
    EXPECT_TRUE(handlers_.RegisterSingle({.id = HandlerId{78}}, single).ok());
    EXPECT_TRUE(
        handlers_.RegisterSingle({.id = HandlerId{2}, .subroute = "sub/route"}, single).ok());
    EXPECT_TRUE(handlers_.RegisterStream({.id = HandlerId{3}, .in_capacity = 1}, stream).ok());
  }

  // Carries over what `from` has to say, as one WebSocket message.
  void Pass(End& from, End& to) {
    ASSERT_TRUE(from.session.CanStartWrite());
    const MutableBytes message = from.session.StartWrite();
    sent_.emplace_back(AsText(message));
    const std::string copy = sent_.back();
    from.session.FinishWrite();
    to.session.OnMessage(AsBytes(copy), kNow);
  }
  void ExpectShown(std::string_view name) {
    EXPECT_EQ(BytesOfExamples(name), sent_) << "hex " << name << " should be:\n" << Shown(sent_);
  }
  void Call(uint16_t handler, std::string_view payload, const SubrouteId* subroute = nullptr) {
    ASSERT_TRUE(caller_.session
                    .StartCall({.handler = handler,
                                .subroute = subroute,
                                .payload = AsBytes(payload),
                                .deadline = kNow + seconds(60)},
                               &caller_.call, kNow)
                    .ok());
  }

  HandlerTable handlers_;
  End caller_{handlers_};
  End handler_{handlers_};
  std::vector<std::string> sent_;
};

TEST_F(WorkedExample, Request) {
  Call(78, "hi");
  Pass(caller_, handler_);
  Pass(handler_, caller_);
  EXPECT_EQ(caller_.read, "hi");
  ExpectShown("request");
}

TEST_F(WorkedExample, RequestWithSubroute) {
  const SubrouteId subroute = MakeSubrouteId("sub/route", 2);
  Call(2, "hi", &subroute);
  Pass(caller_, handler_);
  ExpectShown("subroute");
}

TEST_F(WorkedExample, UnknownHandler) {
  Call(60, "hi");
  Pass(caller_, handler_);
  sent_.clear();
  ASSERT_TRUE(handler_.session.CanStartWrite());
  const MutableBytes refusal = handler_.session.StartWrite();
  sent_.emplace_back(AsText(refusal));
  ExpectShown("unknown-handler");
}

TEST_F(WorkedExample, Merged) {
  Call(78, "one");
  // While the first is being written, two more.
  const MutableBytes first = caller_.session.StartWrite();
  const std::string copy(AsText(first));
  Call(78, "two");
  Call(78, "three");
  caller_.session.FinishWrite();
  handler_.session.OnMessage(AsBytes(copy), kNow);
  Pass(caller_, handler_);
  ExpectShown("merged");
}

TEST_F(WorkedExample, Stream) {
  const auto opened = caller_.session.OpenStream(
      {.handler = 3, .initial = AsBytes("init"), .has_input = true}, &caller_, kNow);
  ASSERT_TRUE(opened.ok()) << opened.status();
  StreamMux* const ours = *opened;
  Pass(caller_, handler_);
  Pass(handler_, caller_);
  StreamMux* const theirs = handler_.mux;
  ASSERT_NE(theirs, nullptr);

  EXPECT_EQ(caller_.session.Send(ours, AsBytes("a")), Session::SendResult::kSent);
  Pass(caller_, handler_);
  EXPECT_EQ(caller_.session.Send(ours, AsBytes("b")), Session::SendResult::kNoCredit);
  handler_.session.Consumed(theirs, 1, 1, kNow);
  Pass(handler_, caller_);
  EXPECT_EQ(handler_.session.Send(theirs, EmptyBytes()), Session::SendResult::kSent);
  Pass(handler_, caller_);
  caller_.session.Consumed(ours, 1, 1, kNow);
  Pass(caller_, handler_);
  caller_.session.CloseSend(ours);
  Pass(caller_, handler_);
  EXPECT_EQ(handler_.read, "a<eof>");
  handler_.session.Finish(theirs, absl::OkStatus());
  const MutableBytes end = handler_.session.StartWrite();
  sent_.emplace_back(AsText(end));
  caller_.session.OnMessage(AsBytes(std::string(AsText(end))), kNow);
  EXPECT_EQ(caller_.read, "<OK>");
  EXPECT_TRUE(caller_.session.Idle() && handler_.session.Idle());
  ExpectShown("stream");
}

TEST_F(WorkedExample, StreamError) {
  ASSERT_TRUE(caller_.session.OpenStream({.handler = 3}, &caller_, kNow).ok());
  Pass(caller_, handler_);
  Pass(handler_, caller_);
  sent_.clear();
  handler_.session.Finish(handler_.mux, absl::UnknownError("no such drive"));
  Pass(handler_, caller_);
  ExpectShown("stream-error");
}

TEST_F(WorkedExample, Status) {
  End caller(handlers_, {.status = 1});
  End handler(handlers_, {.status = 1});
  ASSERT_TRUE(caller.session.OpenStream({.handler = 3}, &caller, kNow).ok());
  Pass(caller, handler);
  Pass(handler, caller);
  sent_.clear();
  handler.session.Finish(handler.mux, absl::NotFoundError("no such drive"));
  Pass(handler, caller);
  EXPECT_EQ(caller.read, "<NOT_FOUND: no such drive [grid/delivery='3R']>");
  ExpectShown("status");
}

TEST_F(WorkedExample, Credits) {
  const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
  ASSERT_TRUE(
      handlers_
          .RegisterStream(
              {.id = HandlerId{4}, .in_capacity = 1, .window = {.messages = 4, .bytes = 100}},
              stream)
          .ok());
  End caller(handlers_, {.credits = 1});
  End handler(handlers_, {.credits = 1});
  for (End* end : {&caller, &handler}) end->session.OnTimer(kNow + seconds(10));
  Pass(caller, handler);
  Pass(handler, caller);
  Pass(caller, handler);
  sent_.clear();

  const auto opened = caller.session.OpenStream(
      {.handler = 4, .has_input = true, .window = {.messages = 8, .bytes = 1000}}, &caller, kNow);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Pass(caller, handler);
  Pass(handler, caller);
  EXPECT_EQ(caller.session.Send(*opened, AsBytes("a")), Session::SendResult::kSent);
  Pass(caller, handler);
  handler.session.Consumed(handler.mux, 1, 1, kNow);
  EXPECT_EQ(handler.session.Send(handler.mux, AsBytes("bcd")), Session::SendResult::kSent);
  Pass(handler, caller);
  for (const char* text : {"ef", "g"}) {
    EXPECT_EQ(caller.session.Send(*opened, AsBytes(text)), Session::SendResult::kSent);
    Pass(caller, handler);
  }
  handler.session.Consumed(handler.mux, 2, 3, kNow);
  Pass(handler, caller);
  ExpectShown("credits");
}

TEST_F(WorkedExample, Fragments) {
  End caller(handlers_, {.fragments = 4});
  End handler(handlers_, {.fragments = 4});
  ASSERT_TRUE(caller.session
                  .StartCall({.handler = 78,
                              .payload = AsBytes("hello"),
                              .deadline = kNow + seconds(60),
                              .priority = Priority::kBulk},
                             &caller.call, kNow)
                  .ok());
  Pass(caller, handler);
  Pass(handler, caller);
  EXPECT_EQ(caller.read, "hello");
  ExpectShown("fragments");
}

TEST_F(WorkedExample, Pieces) {
  const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
  ASSERT_TRUE(handlers_
                  .RegisterStream({.id = HandlerId{4},
                                   .in_capacity = 1,
                                   .window = {.messages = 4, .bytes = 6},
                                   .read_pieces = true},
                                  stream)
                  .ok());
  End caller(handlers_, {.credits = 1, .fragments = 4});
  End handler(handlers_, {.credits = 1, .fragments = 4});
  for (End* end : {&caller, &handler}) end->session.OnTimer(kNow + seconds(10));
  Pass(caller, handler);
  Pass(handler, caller);
  Pass(caller, handler);
  sent_.clear();

  const auto opened = caller.session.OpenStream(
      {.handler = 4, .has_input = true, .window = {.messages = 1, .bytes = 100}}, &caller, kNow);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Pass(caller, handler);
  Pass(handler, caller);
  const auto write = [&](std::string_view text, bool last) {
    size_t sent = 0;
    EXPECT_EQ(caller.session.SendPiece(*opened, AsBytes(text), last, &sent),
              Session::SendResult::kSent);
    Pass(caller, handler);
  };
  write("hel", false);
  handler.session.Consumed(handler.mux, 0, 3, kNow);
  Pass(handler, caller);
  write("lo", true);
  EXPECT_EQ(handler.read, "hel-lo.");
  ExpectShown("pieces");
}

TEST_F(WorkedExample, Meta) {
  End caller(handlers_, {.meta = 1});
  End handler(handlers_, {.meta = 1});
  Metadata metadata;
  ASSERT_TRUE(metadata.Add("tenant", "blue").ok());
  ASSERT_TRUE(metadata.Add("try", "2").ok());
  const auto trace = TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  ASSERT_TRUE(trace.ok());
  ASSERT_TRUE(caller.session
                  .StartCall({.handler = 78,
                              .payload = AsBytes("hi"),
                              .deadline = kNow + seconds(60),
                              .meta = {*trace, metadata}},
                             &caller.call, kNow)
                  .ok());
  Pass(caller, handler);
  EXPECT_EQ(handler.told,
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 tenant=blue "
            "try=2");
  ExpectShown("meta");
}

TEST_F(WorkedExample, Handlers16) {
  const SingleFunction single = [](BytesView, RequestContext&) { return Buffer(); };
  ASSERT_TRUE(
      handlers_.RegisterSingle({.id = HandlerId{300}, .subroute = "sub/route"}, single).ok());
  End caller(handlers_, {.handlers16 = 1});
  End handler(handlers_, {.handlers16 = 1});
  const SubrouteId subroute = MakeSubrouteId("sub/route", 300);
  ASSERT_TRUE(caller.session
                  .StartCall({.handler = 300,
                              .subroute = &subroute,
                              .payload = AsBytes("hi"),
                              .deadline = kNow + seconds(60)},
                             &caller.call, kNow)
                  .ok());
  Pass(caller, handler);
  ExpectShown("handlers16");
  Pass(handler, caller);
  EXPECT_EQ(caller.read, "hi");
}

// The frame is by hand, one block of a byte that is repeated: what zstd itself would make of it
// depends on its version.
TEST_F(WorkedExample, Zstd) {
  constexpr std::string_view kFrame("\x28\xb5\x2f\xfd\x20\x40\x03\x02\x00\x61", 10);
  const SingleFunction single = [](BytesView, RequestContext&) { return Buffer(); };
  ASSERT_TRUE(
      handlers_.RegisterSingle({.id = HandlerId{80}, .run_on = RunOn::kIoThread}, single).ok());
  End caller(handlers_, {.zstd = 1});
  End handler(handlers_, {.zstd = 1});
  ASSERT_TRUE(caller.session
                  .StartCall({.handler = 80,
                              .payload = AsBytes(kFrame),
                              .deadline = kNow + seconds(60),
                              .compressed = {.original_bytes = 64}},
                             &caller.call, kNow)
                  .ok());
  Pass(caller, handler);
  Pass(handler, caller);
  EXPECT_EQ(caller.read, std::string(64, 'a'));
  sent_.pop_back();
  ExpectShown("zstd");
}

TEST_F(WorkedExample, Goaway) {
  End caller(handlers_, {.goaway = 1});
  End handler(handlers_, {.goaway = 1});
  ASSERT_TRUE(
      caller.session
          .StartCall({.handler = 78, .payload = AsBytes("hi"), .deadline = kNow + seconds(60)},
                     &caller.call, kNow)
          .ok());
  handler.session.Drain(kNow + seconds(30), kNow);
  Pass(handler, caller);
  Pass(caller, handler);
  Pass(handler, caller);
  EXPECT_EQ(caller.read, "<UNAVAILABLE: draining: this host takes no new calls>");
  EXPECT_TRUE(handler.session.Drained());
  ExpectShown("goaway");
}

TEST_F(WorkedExample, Ping) {
  const TimePoint due = kNow + seconds(10);
  caller_.session.OnTimer(due);
  Pass(caller_, handler_);
  Pass(handler_, caller_);
  ExpectShown("ping");
}

TEST(WorkedHandshake, Connect) {
  InstanceId dialer, acceptor;
  for (size_t i = 0; i < dialer.size(); ++i) {
    dialer[i] = static_cast<uint8_t>(i);
    acceptor[i] = static_cast<uint8_t>(0xf0 + i);
  }
  const Buffer request = EncodeConnect(
      {dialer, "http://10.0.0.1:9000", WireTime{1'700'000'000, 500'000'000}, "secret", {}});
  const Buffer yes = EncodeConnectResponse({acceptor, true, "", {}});
  const Buffer no = EncodeConnectResponse({acceptor, false, "invalid token", {}});
  const std::vector<std::string> sent = {std::string(request.text()), std::string(yes.text()),
                                         std::string(no.text())};
  EXPECT_EQ(BytesOfExamples("connect"), sent) << "hex connect should be:\n" << Shown(sent);
}

TEST(WorkedHandshake, Extensions) {
  const Extensions offered{.fragments = 65536, .status = 1};
  const Buffer request =
      EncodeConnect({{}, "http://10.0.0.1:9000", WireTime{1'700'000'000, 0}, "", offered});
  const Buffer yes = EncodeConnectResponse({{}, true, "", offered});
  const std::vector<std::string> sent = {std::string(request.text()), std::string(yes.text())};
  EXPECT_EQ(BytesOfExamples("extensions"), sent) << "hex extensions should be:\n" << Shown(sent);
}

TEST(WorkedHandshake, Dictionaries) {
  Extensions offered{.zstd = 3};
  EXPECT_TRUE(offered.dictionaries.Add(7) && offered.dictionaries.Add(40'000));
  const Buffer request =
      EncodeConnect({{}, "http://10.0.0.1:9000", WireTime{1'700'000'000, 0}, "", offered});
  const std::vector<std::string> sent = {std::string(request.text())};
  EXPECT_EQ(BytesOfExamples("dictionaries"), sent) << "hex dictionaries should be:\n"
                                                   << Shown(sent);
}

TEST(WorkedHandshake, Client) {
  const Extensions offered{.goaway = 1, .client = 1};
  const Buffer request =
      EncodeConnect({{}, "backup@host7", WireTime{1'700'000'000, 0}, "", offered});
  const Buffer yes = EncodeConnectResponse({{}, true, "", offered});
  const std::vector<std::string> sent = {std::string(request.text()), std::string(yes.text())};
  EXPECT_EQ(BytesOfExamples("client"), sent) << "hex client should be:\n" << Shown(sent);
}

// The table of "Who dials": | local | remote | h0 | h1 | local dials |
TEST(ProtocolDocument, WhoDialsIsWhatTheLibraryDoes) {
  int rows = 0;
  for (const std::string& line : Lines(Section(Document(), "### Who dials"))) {
    if (!line.starts_with("| `http")) continue;
    std::vector<std::string> cells;
    for (size_t at = 0; (at = line.find("| ", at)) != std::string::npos && at + 2 < line.size();) {
      at += 2;
      cells.push_back(line.substr(at, line.find(" |", at) - at));
    }
    ASSERT_EQ(cells.size(), 3u) << line;
    const std::string local = cells[0].substr(1, cells[0].size() - 2);
    const std::string remote = cells[1].substr(1, cells[1].size() - 2);
    EXPECT_EQ(cells[2], DialsByRule(local, remote) ? "local" : "remote") << line;
    ++rows;
  }
  EXPECT_GE(rows, 3);
}

// Every op and flag stands in its table with its number.
TEST(ProtocolDocument, NamesEveryOpAndFlag) {
  const std::string& document = Document();
  for (int op = 1; op <= kMaxOp; ++op) {
    const std::string row =
        "| " + std::to_string(op) + " | " + std::string(OpName(static_cast<Op>(op))) + " |";
    EXPECT_NE(document.find("\n" + row), std::string::npos) << row;
  }
  for (const auto& [bit, name] :
       std::vector<std::pair<int, std::string>>{{kFlagCrc, "CRC"},
                                                {kFlagEof, "EOF"},
                                                {kFlagStateless, "Stateless"},
                                                {kFlagPayloadIsErr, "PayloadIsErr"},
                                                {kFlagPayloadIsZero, "PayloadIsZero"},
                                                {kFlagSubroute, "Subroute"},
                                                {kFlagExtended, "Extended"},
                                                {kFlagCompressed, "Compressed"}}) {
    const std::string row = "| " + std::to_string(bit) + " | " + name + " |";
    EXPECT_NE(document.find("\n" + row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace grid::docs
