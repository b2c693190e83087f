// SessionActor: one end of a fuzzed connection. It has a Session, does to it what the fuzzer's
// bytes say, serves requests and streams, and aborts the program when a promise of session.h is
// broken: a sink told twice, or anything after its end.
//
// Belongs to one fuzz target; one thread.
#ifndef GRID_FUZZ_SESSION_ACTOR_H_
#define GRID_FUZZ_SESSION_ACTOR_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/mux/session.h"
#include "handlers/delivery.h"
#include "serialization/merged.h"

namespace grid::fuzz {

// Not assert: must hold in every build.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// The fuzzer's bytes; zeros once they are used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : left_(data, size) {}

  bool empty() const { return left_.empty(); }
  uint8_t Byte() {
    if (left_.empty()) return 0;
    const uint8_t byte = left_[0];
    left_ = left_.subspan(1);
    return byte;
  }
  uint32_t Short() { return Byte() << 8 | Byte(); }
  BytesView Bytes(size_t size) {
    const BytesView bytes = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(bytes.size());
    return bytes;
  }

 private:
  BytesView left_;
};

// What both ends speak: a bit for each.
inline Extensions SomeExtensions(Input& in, uint32_t fragment) {
  const uint8_t bits = in.Byte();
  return {.credits = bits & 1u,
          .fragments = (bits & 2u) != 0 ? fragment : 0,
          .zstd = bits >> 6 & 1u,
          .meta = bits >> 3 & 1u,
          .status = bits >> 4 & 1u,
          .handlers16 = bits >> 5 & 1u,
          .goaway = bits >> 2 & 1u};
}

inline const std::shared_ptr<ZstdCodec>& Codec() {
  static const std::shared_ptr<ZstdCodec> codec = *ZstdCodec::Create({});
  return codec;
}

inline constexpr uint8_t kSingle = 1;
inline constexpr uint16_t kSingleAbove = 300;
inline constexpr uint8_t kStreamOne = 2;      // in 1, out 1
inline constexpr uint8_t kStreamFew = 3;      // in 5, out 3
inline constexpr uint8_t kStreamNoInput = 4;  // out 2

inline const HandlerTable& Handlers() {
  static const HandlerTable* const table = [] {
    auto* made = new HandlerTable;
    const SingleFunction single = [](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
      return Buffer();
    };
    const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
    Require(made->RegisterSingle({.id = HandlerId{kSingle}}, single).ok(), "handler 1");
    Require(made->RegisterSingle({.id = HandlerId{kSingleAbove}}, single).ok(), "handler 300");
    Require(made->RegisterStream({.id = HandlerId{kStreamOne},
                                  .in_capacity = 1,
                                  .window = {.messages = 3, .bytes = 10}},
                                 stream)
                .ok(),
            "handler 2");
    Require(made->RegisterStream({.id = HandlerId{kStreamFew},
                                  .in_capacity = 5,
                                  .out_capacity = 3,
                                  .window = {.messages = 7, .bytes = 5000},
                                  .read_pieces = true},
                                 stream)
                .ok(),
            "handler 3");
    Require(made->RegisterStream({.id = HandlerId{kStreamNoInput}, .out_capacity = 2}, stream).ok(),
            "handler 4");
    return made;
  }();
  return *table;
}

inline const TraceContext& Trace() {
  static const TraceContext trace =
      TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").value();
  return trace;
}

// What a sink does from inside its callbacks.
inline constexpr uint8_t kConsumeAtOnce = 1;
inline constexpr uint8_t kSendAtOnce = 2;
inline constexpr uint8_t kFinishAtOnce = 4;   // handler's end, at the end of input or of the stream
inline constexpr uint8_t kGiveUpAtData = 8;   // cancel or finish at the first message
inline constexpr uint8_t kCallAgain = 16;     // start a call, wherever it is
inline constexpr uint8_t kCancelOthers = 32;  // cancel the first call there is

class SessionActor final : public SessionHost {
 public:
  struct Options {
    bool honest_peer = false;  // the other end is one of ours: contents and order are checked
    Extensions extensions = {};
    uint32_t first_generation = 0;
    uint32_t max_resets = 10'000;
  };

  SessionActor(const Options& options, const TimePoint* now)
      : options_(options),
        now_(now),
        config_{.extensions = options.extensions,
                .codec = Codec(),
                .max_message_bytes = 40'000,
                .reassembly = {.max_payload_bytes = 40'000},
                .max_output_bytes = 100'000,
                .max_inflight = 30,
                .max_resets = options.max_resets,
                .resets_per_second = 1,
                .max_window_bytes = 50'000,
                .first_generation = options.first_generation,
                .wall_start = {}},
        pool_(BufferPool::Create()),
        session_(std::make_unique<Session>(config_, Handlers(), *pool_, counters_, *this, *now)) {}

  Session& session() { return *session_; }
  bool failed() const { return failed_; }
  uint64_t Dropped(Drop drop) const { return counters_.Dropped(drop); }

  // --- What the fuzzer may ask for ---

  void Operate(Input& in) {
    const uint8_t op = in.Byte();
    const uint8_t which = in.Byte();
    switch (op % 11) {
      case 0:
        return StartCall(in.Byte(), in.Byte(), in.Byte());
      case 1:
        if (!calls_.empty()) Cancel(*calls_[which % calls_.size()]);
        return;
      case 2:
        return OpenStream(which, in.Byte(), in.Byte());
      case 3:
      case 4:
        if (Outgoing* stream = Pick(outgoing_, which)) SendOn(*stream, op & 0x10 ? 5000 : op >> 5);
        return;
      case 5:
        if (Incoming* stream = Pick(incoming_, which)) SendOn(*stream, op & 0x10 ? 5000 : op >> 5);
        return;
      case 6:
        if (Outgoing* stream = Pick(outgoing_, which)) ConsumeOn(*stream);
        return;
      case 7:
        if (Incoming* stream = Pick(incoming_, which)) ConsumeOn(*stream);
        return;
      case 8:
        if (Outgoing* stream = Pick(outgoing_, which)) {
          if ((op & 0x80) != 0) return CancelStream(*stream);
          if (!stream->rest.empty()) return;  // in the middle of a message
          session_->CloseSend(stream->mux);
          stream->closed = true;
        }
        return;
      case 9:
        if (Incoming* stream = Pick(incoming_, which)) {
          Finish(*stream, (op & 0x80) != 0 ? absl::UnknownError("failed") : absl::OkStatus());
        }
        return;
      default:
        if (which == 255) return Drain();
        if (!held_.empty()) Answer(*held_[which % held_.size()], (op & 0x80) != 0);
        return;
    }
  }

  void OnTimer() { session_->OnTimer(*now_); }

  // Writing, in the two steps that a transport has.
  bool StartWrite(std::string* out) {
    if (writing_ || !session_->CanStartWrite()) return false;
    const MutableBytes bytes = session_->StartWrite();
    CheckOutput(bytes);
    out->assign(AsText(bytes));
    std::memset(bytes.data(), 0xee, bytes.size());  // it may be masked in place
    writing_ = true;
    return true;
  }
  void FinishWrite() {
    if (!writing_) return;
    session_->FinishWrite();
    writing_ = false;
  }
  void Receive(std::string_view message) {
    session_->OnMessage(AsBytes(message), *now_);
    // Answers and control messages may exceed the limit, up to where the connection is ended.
    Require(
        session_->output_bytes() <= 2 * config_.max_output_bytes + 2 * config_.max_message_bytes,
        "the output queue grows without bound");
  }

  // An id that means something: of a call, a stream or nothing, for a hostile peer's messages.
  uint64_t SomeId(uint8_t which) const {
    if (which < 16) return which;
    const size_t all = calls_.size() + outgoing_.size();
    if (all == 0) return which;
    const size_t index = which % all;
    return index < calls_.size() ? calls_[index]->id : outgoing_[index - calls_.size()]->id;
  }
  // The number that the next message of that stream should have.
  uint32_t NextNumber(uint64_t id) const {
    for (const auto& stream : outgoing_) {
      if (stream->id == id && stream->mux != nullptr) return stream->mux->next_receive;
    }
    for (const auto& stream : incoming_) {
      if (stream->mux != nullptr && stream->mux->id == id) return stream->mux->next_receive;
    }
    return 0;
  }

  void Drain() {
    draining_ = true;
    session_->Drain(*now_ + std::chrono::seconds(30), *now_);
  }

  // --- The end ---

  // Lets everything that runs here come to its end. True when there was something to do.
  bool Settle() {
    bool changed = false;
    for (size_t i = 0; i < held_.size(); ++i) {
      if (held_[i]->answered) continue;
      Answer(*held_[i], false);
      changed = true;
    }
    for (size_t i = 0; i < incoming_.size(); ++i) {
      Incoming& stream = *incoming_[i];
      while (stream.mux != nullptr && !stream.unread.empty()) ConsumeOn(stream);
      if (stream.mux == nullptr) continue;
      Finish(stream, absl::OkStatus());
      changed = true;
    }
    for (size_t i = 0; i < outgoing_.size(); ++i) {
      Outgoing& stream = *outgoing_[i];
      while (stream.mux != nullptr && !stream.unread.empty()) {
        ConsumeOn(stream);
        changed = true;
      }
    }
    return changed;
  }

  // The connection is lost.
  void Shutdown() {
    session_->Shutdown(DisconnectedError("the fuzzer is done", Delivery::kMaybeExecuted));
    Require(session_->ended(), "Shutdown did not end the session");
    Require(!session_->CanStartWrite() || writing_, "there is output after Shutdown");
    Settle();
    FinishWrite();
  }

  // Nothing is left anywhere, and everything completed exactly once.
  void CheckOver() {
    Require(session_->Idle(), "something is left in the tables");
    for (const auto& call : calls_) {
      Require(call->outcomes == (call->cancelled ? 0 : 1), "a call did not complete exactly once");
    }
    for (const auto& stream : outgoing_) {
      Require(stream->ends == (stream->cancelled ? 0 : 1), "a stream did not end exactly once");
    }
    for (const auto& stream : incoming_) Require(stream->finished, "a handler runs for ever");
    for (const Counter* gauge : {&counters_.outgoing_requests, &counters_.incoming_requests,
                                 &counters_.outgoing_streams, &counters_.incoming_streams}) {
      Require(gauge->Get() == 0, "a gauge is not back at zero");
    }
  }
  // Both ends have come to rest, and the connection is up.
  void CheckDrained() const {
    Require(session_->Drained() == draining_, "a drain does not end, or did not begin");
  }
  void CheckNoProtocolErrors() const {
    for (const Drop drop :
         {Drop::kOutOfSequence, Drop::kCreditExceeded, Drop::kNilStreamMessage,
          Drop::kBadControlPayload, Drop::kUnknownOp, Drop::kUnknownFlags, Drop::kUnexpectedOp,
          Drop::kDuplicateMux, Drop::kUnknownHandler, Drop::kStatelessStream, Drop::kBadFragment,
          Drop::kBadMetadata, Drop::kBadCompression}) {
      if (counters_.Dropped(drop) == 0) continue;
      std::fprintf(stderr, "fuzz: %s\n", std::string(DropName(drop)).c_str());
      Require(false, "our two ends do not agree on the protocol");
    }
  }

 private:
  struct Call final : CallSink {
    void OnReply(BytesView payload) override {
      Require(!cancelled && ++outcomes == 1, "a call completed twice");
      if (actor->options_.honest_peer) {
        Require(AsText(payload) == sent, "a reply is not the request's");
      }
      actor->Called(mode);
    }
    void OnError(const absl::Status& status) override {
      Require(!status.ok(), "an error that is none");
      Require(!cancelled && ++outcomes == 1, "a call completed twice");
      actor->Called(mode);
    }

    SessionActor* actor = nullptr;
    uint64_t id = 0;
    std::string sent;
    uint8_t mode = 0;
    int outcomes = 0;
    bool cancelled = false;
  };

  struct StreamState : StreamSink {
    void OnDraining() override {
      Require(mux != nullptr && ends == 0 && !told_to_drain, "told of a drain twice, or too late");
      told_to_drain = true;
      actor->Called(mode);
    }
    void Count(BytesView payload) {
      Require(partial.empty(), "a message inside another");
      unread.push_back({1, payload.size()});
      CheckMessage(payload);
    }
    void CountPiece(BytesView payload, bool last) {
      unread.push_back({last ? 1u : 0u, payload.size()});
      // Of a stranger's only some: it may go on for ever.
      if (partial.size() < 40'000) partial.append(AsText(payload));
      if (last) CheckMessage(AsBytes(std::exchange(partial, std::string())));
    }
    void CheckMessage(BytesView payload) {
      if (!actor->options_.honest_peer) return;
      Require(payload.size() >= 4, "a stream message lost its contents");
      uint32_t number;
      std::memcpy(&number, payload.data(), 4);
      Require(number == received++, "stream messages out of order, lost or doubled");
    }

    SessionActor* actor = nullptr;
    StreamMux* mux = nullptr;  // null: not to be used any more
    uint64_t id = 0;
    uint8_t mode = 0;
    uint32_t sent = 0;
    uint32_t received = 0;
    std::deque<std::pair<uint32_t, size_t>> unread;  // messages and bytes that each read takes
    std::string partial;                             // of a message in pieces
    std::string rest;                                // of one that we send, which waits for credit
    size_t rest_sent = 0;
    int ends = 0;
    bool told_to_drain = false;
  };

  struct Outgoing final : StreamState {
    void OnData(BytesView payload) override {
      Require(mux != nullptr && ends == 0, "data after the end");
      Count(payload);
      React();
    }
    void OnPiece(BytesView payload, bool last) override {
      Require(mux != nullptr && ends == 0, "a piece after the end");
      CountPiece(payload, last);
      React();
    }
    void React() {
      if ((mode & kConsumeAtOnce) != 0) actor->ConsumeOn(*this);
      if ((mode & kSendAtOnce) != 0) actor->SendOn(*this, 1);
      if ((mode & kGiveUpAtData) != 0) actor->CancelStream(*this);
      actor->Called(mode);
    }
    void OnEof() override { Require(false, "EOF at the caller's end"); }
    void OnSendable() override {
      Require(mux != nullptr && ends == 0 && waiting, "sendable without waiting");
      waiting = false;
      if ((mode & kSendAtOnce) != 0 || !rest.empty()) actor->SendOn(*this, 1);
      actor->Called(mode);
    }
    void OnEnd(const absl::Status&) override {
      Require(!cancelled && ++ends == 1, "a stream ended twice");
      mux = nullptr;
      actor->Called(mode);
    }

    bool cancelled = false;
    bool closed = false;
    bool waiting = false;
  };

  struct Incoming final : StreamState {
    void OnData(BytesView payload) override {
      Require(mux != nullptr && ends == 0 && eofs == 0, "data after the end");
      Count(payload);
      React();
    }
    void OnPiece(BytesView payload, bool last) override {
      Require(mux != nullptr && ends == 0 && eofs == 0, "a piece after the end");
      CountPiece(payload, last);
      React();
    }
    void React() {
      if ((mode & kConsumeAtOnce) != 0) actor->ConsumeOn(*this);
      if ((mode & kSendAtOnce) != 0) actor->SendOn(*this, 1);
      if ((mode & kGiveUpAtData) != 0) actor->Finish(*this, absl::UnknownError("enough"));
      actor->Called(mode);
    }
    void OnEof() override {
      Require(mux != nullptr && ends == 0 && ++eofs == 1, "EOF twice, or after the end");
      if ((mode & kFinishAtOnce) != 0) actor->Finish(*this, absl::OkStatus());
      actor->Called(mode);
    }
    void OnSendable() override {
      Require(mux != nullptr && ends == 0 && waiting, "sendable without waiting");
      waiting = false;
      if ((mode & kSendAtOnce) != 0 || !rest.empty()) actor->SendOn(*this, 1);
      actor->Called(mode);
    }
    void OnEnd(const absl::Status& status) override {
      Require(mux != nullptr && !status.ok() && ++ends == 1, "a handler's stream ended twice");
      if ((mode & kFinishAtOnce) != 0) actor->Finish(*this, absl::OkStatus());
      actor->Called(mode);
    }

    int eofs = 0;
    bool finished = false;
    bool waiting = false;
  };

  struct Held final : RunningRequest {
    InboundRequest request;
    std::string payload;
    int cancelled = 0;
    bool answered = false;
    bool told_to_drain = false;
  };

  // SessionHost

  // The first byte of a request's payload says what becomes of it.
  Admit OnRequest(const HandlerEntry& entry, const InboundRequest& request,
                  RunningRequest** running) override {
    Require(!entry.is_stream(), "a request to a stream's handler");
    CheckMeta(request.meta);
    BytesView payload = request.payload;
    Buffer original;
    if (request.compressed.original_bytes != 0) {
      const CompressionFault fault =
          Codec()->Decompress(payload, request.compressed, *pool_, &original);
      if (fault != CompressionFault::kNone) {
        session_->RefuseCompressed(request, nullptr, fault, *now_);
        return Admit::kAnswered;
      }
      payload = original;
    }
    const uint8_t want = payload.empty() ? 0 : payload[0] % 4;
    if (want == 0) {
      const Packed packed = Pack(payload);
      session_->Answer(request, nullptr, packed.bytes, *now_, packed.compressed);
      return Admit::kAnswered;
    }
    if (want == 1) {
      session_->AnswerError(request, nullptr, absl::NotFoundError("no"), *now_);
      return Admit::kAnswered;
    }
    if (want == 2 && payload.size() > 1 && payload[1] == 0) {
      return Admit::kRefused;
    }
    held_.push_back(std::make_unique<Held>());
    held_.back()->request = request;
    held_.back()->payload = std::string(AsText(payload));
    *running = held_.back().get();
    return Admit::kPending;
  }
  void OnRequestCancelled(RunningRequest* running, const absl::Status& why) override {
    auto* held = static_cast<Held*>(running);
    Require(!why.ok() && !held->answered && ++held->cancelled == 1,
            "a request was cancelled twice, or after its answer");
    if (held->payload.size() > 2 && (held->payload[2] & 1) != 0) Answer(*held, false);
  }
  void OnRequestDraining(RunningRequest* running) override {
    auto* held = static_cast<Held*>(running);
    Require(draining_ && !held->answered && held->cancelled == 0 && !held->told_to_drain,
            "a request was told of a drain twice, or too late");
    held->told_to_drain = true;
    if (held->payload.size() > 2 && (held->payload[2] & 2) != 0) Answer(*held, false);
  }
  void OnPeerDraining() override {
    Require(options_.extensions.goaway != 0 && !peer_draining_, "the peer drains twice");
    peer_draining_ = true;
  }
  // The first byte of the initial payload is the mode of the handler.
  StreamSink* OnStream(const HandlerEntry& entry, const InboundStream& stream) override {
    Require(entry.is_stream(), "a stream to a request's handler");
    CheckMeta(stream.meta);
    const uint8_t mode = stream.initial.empty() ? 0 : stream.initial[0];
    if (mode == 255) return nullptr;
    incoming_.push_back(std::make_unique<Incoming>());
    Incoming& served = *incoming_.back();
    served.actor = this;
    served.mux = stream.mux;
    served.mode = mode;
    if ((mode & 64) != 0) SendOn(served, 1);
    if ((mode & 128) != 0) Finish(served, absl::UnknownError("at once"));
    return &served;
  }
  void OnSessionEnd(SessionEnd why, std::string_view detail) override {
    Require(!failed_ && !detail.empty(), "the session ended twice");
    failed_ = true;
    // Of our own ends one may be slow, or not read what it asked for.
    const bool slow = why == SessionEnd::kPingTimeout || why == SessionEnd::kOutputOverflow;
    if (options_.honest_peer && !slow) {
      std::fprintf(stderr, "fuzz: %s: %s\n", std::string(SessionEndName(why)).c_str(),
                   std::string(detail).c_str());
      Require(false, "our two ends do not understand each other");
    }
  }

  // What operations are made of.

  // As it is sent: compressed, where that is agreed upon and worth it.
  struct Packed {
    BytesView bytes;
    Buffer frame;
    Compressed compressed;
  };
  Packed Pack(BytesView payload) {
    Packed packed{.bytes = payload, .frame = {}, .compressed = {}};
    if (options_.extensions.zstd == 0 || payload.empty()) return packed;
    packed.compressed = Codec()->Compress(payload, 1, 0, *pool_, &packed.frame);
    if (packed.compressed.original_bytes != 0) packed.bytes = packed.frame;
    return packed;
  }

  void StartCall(uint8_t mode, uint8_t time, uint8_t contents) {
    auto call = std::make_unique<Call>();
    call->actor = this;
    call->mode = mode;
    call->sent = std::string(contents % 5, static_cast<char>(contents / 5));
    if (contents == 255) call->sent.assign(35'000, '\0');
    const uint16_t handler = contents % 7 == 6 ? kSingleAbove : kSingle;
    Metadata metadata;
    if (contents % 3 == 2) Require(metadata.Add("contents", call->sent.substr(0, 50)).ok(), "Add");
    const Packed packed = Pack(AsBytes(call->sent));
    const absl::StatusOr<uint64_t> id =
        session_->StartCall({.handler = handler,
                             .payload = packed.bytes,
                             .deadline = *now_ + std::chrono::milliseconds(time) * time,
                             .compressed = packed.compressed,
                             .meta = {contents % 2 == 1 ? Trace() : TraceContext(), metadata}},
                            call.get(), *now_);
    if (!id.ok()) return Require(IsSafeToRetry(id.status()), "a call that did not start was sent");
    call->id = *id;
    calls_.push_back(std::move(call));
  }
  void Cancel(Call& call) {
    const bool running = call.outcomes == 0 && !call.cancelled;
    Require(session_->CancelCall(call.id) == running, "CancelCall is wrong about the call");
    if (running) call.cancelled = true;
  }

  void OpenStream(uint8_t which, uint8_t mode, uint8_t initial) {
    const HandlerEntry* entry = Handlers().Find(kStreamOne + which % 3, nullptr);
    auto stream = std::make_unique<Outgoing>();
    stream->actor = this;
    stream->mode = mode;
    stream->closed = entry->in_capacity == 0;
    const TimePoint deadline =
        (which & 0x80) != 0 ? *now_ + std::chrono::milliseconds(which) * 100 : TimePoint::max();
    const absl::StatusOr<StreamMux*> mux =
        session_->OpenStream({.handler = entry->id.value(),
                              .initial = {&initial, 1},
                              .deadline = deadline,
                              .has_input = entry->in_capacity > 0,
                              .in_capacity = entry->in_capacity,
                              .out_capacity = entry->out_capacity,
                              .window = {.messages = 1u + which % 5, .bytes = 1u + mode % 7},
                              .read_pieces = (which & 0x40) != 0,
                              .meta = {(mode & 1) != 0 ? Trace() : TraceContext(), {}}},
                             stream.get(), *now_);
    if (!mux.ok())
      return Require(IsSafeToRetry(mux.status()), "a stream that did not open was sent");
    stream->mux = *mux;
    stream->id = (*mux)->id;
    outgoing_.push_back(std::move(stream));
  }

  // One that may still be used.
  template <typename T>
  static T* Pick(const std::vector<std::unique_ptr<T>>& streams, uint8_t which) {
    if (streams.empty()) return nullptr;
    // Mostly a recent one.
    T* stream = streams[streams.size() - 1 - which % std::min<size_t>(streams.size(), 8)].get();
    return stream->mux == nullptr ? nullptr : stream;
  }

  template <typename T>
  void SendOn(T& stream, size_t padding) {
    if (stream.mux == nullptr) return;
    if (stream.rest.empty()) {
      stream.rest.assign(4 + padding, 'p');
      std::memcpy(stream.rest.data(), &stream.sent, 4);
      stream.rest_sent = 0;
    }
    const std::string message = stream.rest;
    const Packed packed = Pack(AsBytes(message));
    auto result = session_->Send(stream.mux, packed.bytes, packed.compressed);
    if (result == Session::SendResult::kInPieces) {
      size_t sent = stream.rest_sent;
      result = session_->SendPiece(stream.mux, AsBytes(message), true, &sent);
      stream.rest_sent = sent;
    }
    if (result != Session::SendResult::kNoCredit || stream.rest_sent == 0) stream.rest.clear();
    switch (result) {
      case Session::SendResult::kSent:
        ++stream.sent;
        return;
      case Session::SendResult::kNoCredit:
        stream.waiting = true;
        return;
      case Session::SendResult::kTooBig:
      case Session::SendResult::kInPieces:
      case Session::SendResult::kNoPieces:
        return Require(false, "a small message is too big, or for pieces that are not spoken");
      case Session::SendResult::kOutputFull:
      case Session::SendResult::kClosed:
        return;
    }
  }
  template <typename T>
  void ConsumeOn(T& stream) {
    if (stream.mux == nullptr || stream.unread.empty()) return;
    const auto [messages, bytes] = stream.unread.front();
    stream.unread.pop_front();
    session_->Consumed(stream.mux, messages, bytes, *now_);
  }
  void CancelStream(Outgoing& stream) {
    if (stream.mux == nullptr) return;
    StreamMux* const mux = std::exchange(stream.mux, nullptr);
    stream.cancelled = true;
    session_->CancelStream(mux);
  }
  void Finish(Incoming& stream, const absl::Status& status) {
    if (stream.mux == nullptr) return;
    StreamMux* const mux = std::exchange(stream.mux, nullptr);
    stream.finished = true;
    const bool inside = status.ok() && !stream.rest.empty();
    session_->Finish(mux, inside ? absl::UnknownError("inside a message") : status);
  }
  void Answer(Held& held, bool error) {
    if (held.answered) return;
    held.answered = true;
    if (error) {
      session_->AnswerError(held.request, &held, absl::UnknownError("late no"), *now_);
    } else {
      const Packed packed = Pack(AsBytes(held.payload));
      session_->Answer(held.request, &held, packed.bytes, *now_, packed.compressed);
    }
  }
  // From inside a callback.
  void Called(uint8_t mode) {
    if (depth_ > 3) return;
    ++depth_;
    if ((mode & kCallAgain) != 0) StartCall(mode & ~kCallAgain, 50, 3);
    if ((mode & kCancelOthers) != 0 && !calls_.empty()) Cancel(*calls_[0]);
    --depth_;
  }

  // What a handler is told holds what it promises.
  void CheckMeta(const CallMeta& meta) const {
    if (options_.honest_peer) Require(!meta.trace || meta.trace == Trace(), "another trace");
    Require(meta.empty() || options_.extensions.meta != 0, "metadata that was not agreed upon");
    size_t entries = 0;
    size_t text = 0;
    for (const MetadataView::Entry entry : meta.metadata) {
      Require(meta.metadata.Find(entry.key) == entry.value, "an entry is not found");
      text += entry.key.size() + entry.value.size();
      ++entries;
    }
    Require(entries == meta.metadata.size() && entries <= MetadataView::kMaxEntries &&
                text <= MetadataView::kMaxTextBytes,
            "more metadata than there may be");
  }

  // What we send can be read.
  static void CheckOutput(BytesView bytes) {
    Message message;
    BytesView rest;
    Require(DecodeMessage(bytes, &message, &rest) == DecodeError::kOk, "output is no message");
    if (message.op != Op::kMerged) return;
    MergedReader reader(message.seq, rest);
    BytesView one;
    while (reader.Next(&one)) {
      Message inner;
      Require(DecodeMessage(one, &inner) == DecodeError::kOk && inner.op != Op::kMerged,
              "an inner message is none");
    }
    Require(reader.ok(), "a Merged holds less than it says");
  }

  const Options options_;
  const TimePoint* const now_;
  const SessionConfig config_;
  const std::shared_ptr<BufferPool> pool_;
  SessionCounters counters_;
  std::unique_ptr<Session> session_;
  bool writing_ = false;
  bool failed_ = false;
  bool draining_ = false;
  bool peer_draining_ = false;
  int depth_ = 0;
  // Never shrink: ids and sinks stay known, to see what is told to those that are over.
  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<std::unique_ptr<Outgoing>> outgoing_;
  std::vector<std::unique_ptr<Incoming>> incoming_;
  std::vector<std::unique_ptr<Held>> held_;
};

}  // namespace grid::fuzz

#endif  // GRID_FUZZ_SESSION_ACTOR_H_
