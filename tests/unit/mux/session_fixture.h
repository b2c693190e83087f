// Sessions under test: one against hand-made messages (WireTest), or two joined back to back
// (PairTest), with sinks and hosts that record what they are told. The time is a variable.
//
//   TEST_F(WireTest, UnknownOp_IsCounted) {
//     Receive({.op = static_cast<Op>(99)});
//     EXPECT_TRUE(Sent().empty());
//   }
#ifndef GRID_TESTS_UNIT_MUX_SESSION_FIXTURE_H_
#define GRID_TESTS_UNIT_MUX_SESSION_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "grid/mux/session.h"
#include "handlers/delivery.h"
#include "serialization/extension_block.h"
#include "serialization/merged.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid::test {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

// Handlers of the host under test. What they do is up to TestHost.
inline constexpr uint8_t kSingle = 78;
inline constexpr uint8_t kSubrouted = 2;        // single, on kSubroute only
inline constexpr uint8_t kStreamOne = 3;        // in 1, out 1
inline constexpr uint8_t kStreamSixteen = 4;    // in 16, out 16
inline constexpr uint8_t kStreamNoInput = 5;    // out 1
inline constexpr uint8_t kStreamPieces = 6;     // in 1, out 1, read in pieces
inline constexpr uint8_t kStreamSubrouted = 7;  // in 1, out 1, on kSubroute only
inline constexpr uint16_t kSingleAbove = 300;   // single, also on kSubroute
inline constexpr uint16_t kStreamAbove = 512;   // out 1
inline constexpr uint8_t kUnknown = 60;
inline constexpr std::string_view kSubroute = "sub/route";

inline const HandlerTable& TestHandlers() {
  static const HandlerTable* const table = [] {
    auto* made = new HandlerTable;
    const SingleFunction single = [](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
      return Buffer();
    };
    const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
    const std::string sub(kSubroute);
    const bool all =
        made->RegisterSingle({.id = HandlerId{kSingle}}, single).ok() &&
        made->RegisterSingle({.id = HandlerId{kSubrouted}, .subroute = sub}, single).ok() &&
        made->RegisterStream({.id = HandlerId{kStreamOne}, .in_capacity = 1}, stream).ok() &&
        made->RegisterStream(
                {.id = HandlerId{kStreamSixteen}, .in_capacity = 16, .out_capacity = 16}, stream)
            .ok() &&
        made->RegisterStream({.id = HandlerId{kStreamNoInput}}, stream).ok() &&
        made->RegisterStream(
                {.id = HandlerId{kStreamPieces}, .in_capacity = 1, .read_pieces = true}, stream)
            .ok() &&
        made->RegisterSingle({.id = HandlerId{kSingleAbove}}, single).ok() &&
        made->RegisterSingle({.id = HandlerId{kSingleAbove}, .subroute = sub}, single).ok() &&
        made->RegisterStream({.id = HandlerId{kStreamAbove}}, stream).ok() &&
        made->RegisterStream({.id = HandlerId{kStreamSubrouted}, .subroute = sub, .in_capacity = 1},
                             stream)
            .ok();
    if (!all) throw std::logic_error("a test handler was not registered");
    return made;
  }();
  return *table;
}

// One message that a session sent, out of its Merged; owns its bytes.
struct SentMessage {
  Op op = Op::kInvalid;
  uint64_t mux_id = 0;
  uint32_t seq = 0;
  uint32_t deadline_ms = 0;
  uint16_t handler = 0;
  uint8_t flags = 0;
  std::string payload;
  std::string subroute;
  std::string bytes;

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
};

inline SentMessage ToSent(const Message& message, BytesView bytes) {
  SentMessage sent{.op = message.op,
                   .mux_id = message.mux_id,
                   .seq = message.seq,
                   .deadline_ms = message.deadline_ms,
                   .handler = message.handler,
                   .flags = message.flags,
                   .payload = std::string(AsText(message.payload)),
                   .subroute = {},
                   .bytes = std::string(AsText(bytes))};
  if (message.subroute != nullptr) {
    sent.subroute.assign(reinterpret_cast<const char*>(message.subroute), kSubrouteIdSize);
  }
  return sent;
}

// The messages of one WebSocket message; throws on what no peer could read.
inline std::vector<SentMessage> Unmerge(BytesView bytes) {
  Message message;
  BytesView rest;
  if (DecodeMessage(bytes, &message, &rest) != DecodeError::kOk) {
    throw std::logic_error("the session sent bytes that are no message");
  }
  std::vector<SentMessage> sent;
  if (message.op != Op::kMerged) {
    sent.push_back(ToSent(message, bytes));
    return sent;
  }
  if (message.flags != 0 || !message.payload.empty()) {
    throw std::logic_error("a Merged with flags or payload");
  }
  MergedReader reader(message.seq, rest);
  BytesView one;
  while (reader.Next(&one)) {
    Message inner;
    if (DecodeMessage(one, &inner) != DecodeError::kOk || inner.op == Op::kMerged) {
      throw std::logic_error("a Merged holds what is no message");
    }
    sent.push_back(ToSent(inner, one));
  }
  if (!reader.ok() || sent.size() != message.seq || sent.size() < 2) {
    throw std::logic_error("a Merged that does not hold what it says");
  }
  return sent;
}

// What the block of a message says; the test fails where there is none.
inline ExtensionFields FieldsOf(const SentMessage& sent) {
  Message message;
  ExtensionFields fields;
  EXPECT_EQ(DecodeMessage(AsBytes(sent.bytes), &message), DecodeError::kOk);
  EXPECT_TRUE(sent.Has(kFlagExtended));
  EXPECT_TRUE(ReadExtension(message.extension, &fields));
  return fields;
}
// The same, but for a message without a block its defaults.
inline ExtensionFields FieldsIfAny(const SentMessage& sent) {
  return sent.Has(kFlagExtended) ? FieldsOf(sent) : ExtensionFields();
}

// Several messages in one, as a peer would send them.
inline std::string Merge(const std::vector<std::string>& messages) {
  std::string out = Encoded({.seq = static_cast<uint32_t>(messages.size()), .op = Op::kMerged});
  for (const std::string& message : messages) {
    uint8_t header[kMaxBinHeader];
    const uint8_t* end = WriteBinHeader(message.size(), header);
    out.append(reinterpret_cast<const char*>(header), static_cast<size_t>(end - header));
    out += message;
  }
  return out;
}

// Fails the test when a call completes twice.
class CallProbe final : public PendingCall {
 public:
  CallProbe() = default;
  CallProbe(const CallProbe&) = delete;
  CallProbe& operator=(const CallProbe&) = delete;

  void OnReply(BytesView payload) {
    EXPECT_EQ(++outcomes, 1);
    replied = true;
    nil = IsNil(payload);
    reply = std::string(AsText(payload));
    if (then) then();
  }
  void OnFailed(const absl::Status& error) {
    EXPECT_EQ(++outcomes, 1);
    EXPECT_FALSE(error.ok());
    status = error;
    if (then) then();
  }

  int outcomes = 0;
  bool replied = false;
  bool nil = false;
  std::string reply;
  absl::Status status;
  std::function<void()> then;  // called at the end of either
};

// Fails the test when anything follows OnEnd.
class StreamProbe final : public StreamSink {
 public:
  StreamProbe() = default;
  StreamProbe(const StreamProbe&) = delete;
  StreamProbe& operator=(const StreamProbe&) = delete;

  void OnData(BytesView payload) override {
    EXPECT_EQ(ends, 0);
    EXPECT_FALSE(IsNil(payload));
    data.emplace_back(AsText(payload));
    if (on_data) on_data();
  }
  void OnPiece(BytesView payload, bool last) override {
    EXPECT_EQ(ends, 0);
    EXPECT_FALSE(IsNil(payload));
    pieces.push_back({std::string(AsText(payload)), last});
    if (on_data) on_data();
  }
  void OnEof() override {
    EXPECT_EQ(ends, 0);
    ++eofs;
    if (on_eof) on_eof();
  }
  void OnSendable() override {
    EXPECT_EQ(ends, 0);
    ++sendables;
    if (on_sendable) on_sendable();
  }
  void OnDraining() override {
    EXPECT_EQ(ends, 0);
    EXPECT_EQ(++drainings, 1);
  }
  void OnEnd(const absl::Status& status) override {
    EXPECT_EQ(++ends, 1);
    end = status;
    if (on_end) on_end();
  }

  struct Piece {
    std::string text;
    bool last;
    friend bool operator==(const Piece&, const Piece&) = default;
  };

  std::vector<std::string> data;
  std::vector<Piece> pieces;
  int eofs = 0;
  int sendables = 0;
  int drainings = 0;
  int ends = 0;
  absl::Status end;
  std::function<void()> on_data, on_eof, on_sendable, on_end;
};

// What it does with requests is a mode; streams are always taken, and wait in `streams`.
class TestHost final : public SessionHost {
 public:
  enum class Mode { kEcho, kHold, kRefuse };

  struct Held {
    InboundRequest request;  // its views are no longer valid
    const HandlerEntry* entry = nullptr;
    std::string payload;
    bool nil = false;
    RunningRequest running;
    int cancelled = 0;
    int drainings = 0;
    bool answered = false;  // for tests that answer by themselves
    absl::Status why;
  };
  struct Served {
    StreamMux* mux = nullptr;
    const HandlerEntry* entry = nullptr;
    TimePoint deadline;
    std::string initial;
    bool nil = false;
    bool input_closed = false;
    StreamProbe probe;
  };
  struct End {
    SessionEnd why;
    std::string detail;
  };

  void OnReply(PendingCall* call, BytesView payload) override {
    static_cast<CallProbe*>(call)->OnReply(payload);
  }
  void OnCallFailed(PendingCall* call, const absl::Status& status) override {
    static_cast<CallProbe*>(call)->OnFailed(status);
  }
  Admit OnRequest(const HandlerEntry& entry, const InboundRequest& request,
                  RunningRequest** running) override {
    if (mode == Mode::kRefuse) return Admit::kRefused;
    if (on_meta) on_meta(request.meta);
    Held& held = requests.emplace_back();
    held.request = request;
    held.entry = &entry;
    held.payload = std::string(AsText(request.payload));
    held.nil = IsNil(request.payload);
    if (mode == Mode::kEcho) {
      session->Answer(request, nullptr, request.payload, *now);
      return Admit::kAnswered;
    }
    *running = &held.running;
    return Admit::kPending;
  }
  void OnRequestCancelled(RunningRequest* running, const absl::Status& why) override {
    for (Held& held : requests) {
      if (&held.running != running) continue;
      EXPECT_EQ(++held.cancelled, 1);
      held.why = why;
      if (on_cancelled) on_cancelled(held);
      return;
    }
    ADD_FAILURE() << "a request that is not running was cancelled";
  }
  void OnRequestDraining(RunningRequest* running) override {
    for (Held& held : requests) {
      if (&held.running != running) continue;
      EXPECT_EQ(++held.drainings, 1);
      if (on_draining) on_draining(held);
      return;
    }
    ADD_FAILURE() << "a request that is not running was told of a drain";
  }
  void OnPeerDraining() override { ++peer_drainings; }
  StreamSink* OnStream(const HandlerEntry& entry, const InboundStream& stream) override {
    if (mode == Mode::kRefuse) return nullptr;
    if (on_meta) on_meta(stream.meta);
    Served& served = streams.emplace_back();
    served.mux = stream.mux;
    served.entry = &entry;
    served.deadline = stream.deadline;
    served.initial = std::string(AsText(stream.initial));
    served.nil = IsNil(stream.initial);
    served.input_closed = stream.input_closed;
    if (on_stream) on_stream(served);
    return &served.probe;
  }
  void OnSessionEnd(SessionEnd why, std::string_view detail) override {
    ends.push_back({why, std::string(detail)});
  }

  Mode mode = Mode::kEcho;
  Session* session = nullptr;
  const TimePoint* now = nullptr;
  // Deques: what they hold keeps its address.
  std::deque<Held> requests;
  std::deque<Served> streams;
  std::vector<End> ends;
  int peer_drainings = 0;
  std::function<void(Held&)> on_cancelled, on_draining;
  std::function<void(Served&)> on_stream;
  std::function<void(const CallMeta&)> on_meta;  // of requests and streams, before they are noted
};

// A session with everything that it needs.
struct SessionEndpoint {
  SessionEndpoint(const SessionConfig& config, const TimePoint* now)
      : pool(BufferPool::Create()),
        session(config, TestHandlers(), *pool, counters, host, *now),
        now(now) {
    host.session = &session;
    host.now = now;
  }

  // What waits to be written, as WebSocket messages.
  std::vector<std::string> TakeOutput() {
    std::vector<std::string> out;
    while (session.CanStartWrite()) {
      out.emplace_back(AsText(session.StartWrite()));
      session.FinishWrite();
    }
    return out;
  }
  uint64_t Dropped(Drop drop) const { return counters.Dropped(drop); }
  uint64_t DroppedInAll() const {
    uint64_t sum = 0;
    for (const Counter& counter : counters.drops) sum += counter.Get();
    return sum;
  }
  absl::StatusOr<uint64_t> Call(CallProbe* probe, std::string_view payload, Duration timeout = 10s,
                                uint16_t handler = kSingle) {
    return session.StartCall(
        {.handler = handler, .payload = AsBytes(payload), .deadline = *now + timeout}, probe, *now);
  }
  // With input and the capacities of the handler.
  absl::StatusOr<StreamMux*> Open(StreamProbe* probe, uint16_t handler,
                                  TimePoint deadline = TimePoint::max()) {
    const HandlerEntry* entry = TestHandlers().Find(handler, nullptr);
    return session.OpenStream({.handler = handler,
                               .initial = AsBytes("init"),
                               .deadline = deadline,
                               .has_input = entry->in_capacity > 0,
                               .in_capacity = entry->in_capacity,
                               .out_capacity = entry->out_capacity},
                              probe, *now);
  }

  const std::shared_ptr<BufferPool> pool;
  SessionCounters counters;
  TestHost host;
  Session session;
  const TimePoint* const now;
};

inline constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));
// 2001-09-09T01:46:40Z.
inline constexpr WallTime kWallStart = WallTime(std::chrono::seconds(1'000'000'000));

inline SessionConfig TestConfig(uint32_t first_generation = 7) {
  return {.first_generation = first_generation, .wall_start = kWallStart};
}

inline SessionConfig With(const Extensions& extensions) {
  SessionConfig config = TestConfig();
  config.extensions = extensions;
  return config;
}

// One session; the test is the peer.
class WireTest : public ::testing::Test {
 protected:
  explicit WireTest(const SessionConfig& config = TestConfig()) { Restart(config); }

  void Restart(const SessionConfig& config) {
    end_ = std::make_unique<SessionEndpoint>(config, &now_);
  }

  Session& session() { return end_->session; }
  TestHost& host() { return end_->host; }

  void ReceiveBytes(std::string_view bytes) { session().OnMessage(AsBytes(bytes), now_); }
  // With a checksum.
  void Receive(Message message) {
    message.flags |= kFlagCrc;
    ReceiveBytes(Encoded(message));
  }
  // The same with a block that holds `fields`.
  void ReceiveWith(Message message, const ExtensionFields& fields) {
    ExtensionBlock block;
    ASSERT_TRUE(block.Write(fields));
    message.flags |= kFlagExtended;
    message.extension = block.view();
    Receive(message);
  }

  // Everything sent since the last time, out of its Merged.
  std::vector<SentMessage> Sent() {
    std::vector<SentMessage> sent;
    for (const std::string& message : end_->TakeOutput()) {
      for (SentMessage& one : Unmerge(AsBytes(message))) sent.push_back(std::move(one));
    }
    return sent;
  }
  // The only message sent since the last time.
  SentMessage SentOne() {
    std::vector<SentMessage> sent = Sent();
    EXPECT_EQ(sent.size(), 1u);
    return sent.empty() ? SentMessage() : std::move(sent.front());
  }

  // Moves the time on, stopping whenever the session wants its timer.
  void Advance(Duration by) {
    const TimePoint until = now_ + by;
    while (session().NextTimer() <= until) {
      now_ = std::max(now_, session().NextTimer());
      session().OnTimer(now_);
    }
    now_ = until;
  }

  TimePoint now_ = kStart;
  std::unique_ptr<SessionEndpoint> end_;
};

// Two sessions joined back to back.
class PairTest : public ::testing::Test {
 protected:
  explicit PairTest(const SessionConfig& config = TestConfig())
      : a_(config, &now_), b_(WithGeneration(config, 1000), &now_) {}

  static SessionConfig WithGeneration(SessionConfig config, uint32_t generation) {
    config.first_generation = generation;
    return config;
  }

  // Whatever waits goes over, and what that causes, until nothing is left.
  void Pump() {
    while (Move(a_, b_) || Move(b_, a_)) {
    }
  }
  static bool Move(SessionEndpoint& from, SessionEndpoint& to) {
    const std::vector<std::string> messages = from.TakeOutput();
    for (const std::string& message : messages) to.session.OnMessage(AsBytes(message), *to.now);
    return !messages.empty();
  }
  // Moves the time on, both ends' timers and messages with it.
  void Advance(Duration by) {
    const TimePoint until = now_ + by;
    for (;;) {
      const TimePoint next = std::min(a_.session.NextTimer(), b_.session.NextTimer());
      if (next > until) break;
      now_ = std::max(now_, next);
      a_.session.OnTimer(now_);
      b_.session.OnTimer(now_);
      Pump();
    }
    now_ = until;
  }
  // Neither end saw the other break a rule.
  void ExpectNoProtocolErrors() {
    for (SessionEndpoint* end : {&a_, &b_}) {
      EXPECT_EQ(end->Dropped(Drop::kOutOfSequence), 0u);
      EXPECT_EQ(end->Dropped(Drop::kCreditExceeded), 0u);
      EXPECT_EQ(end->Dropped(Drop::kNilStreamMessage), 0u);
      EXPECT_EQ(end->Dropped(Drop::kBadControlPayload), 0u);
      EXPECT_TRUE(end->host.ends.empty());
    }
  }

  TimePoint now_ = kStart;
  SessionEndpoint a_, b_;
};

}  // namespace grid::test

#endif  // GRID_TESTS_UNIT_MUX_SESSION_FIXTURE_H_
