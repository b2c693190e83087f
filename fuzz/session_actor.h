// SessionActor: one end of a fuzzed connection. It has a Session, does to it what the fuzzer's
// bytes say, and serves requests and streams. Whether the session keeps its promises is seen by
// its calls and streams (session_promises.h).
//
// Belongs to one fuzz target; one thread.
#ifndef GRID_FUZZ_SESSION_ACTOR_H_
#define GRID_FUZZ_SESSION_ACTOR_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/session_promises.h"
#include "fuzz/session_setup.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid::fuzz {

// The mode of a call or stream: what is done from inside its callbacks.
inline constexpr uint8_t kConsumeAtOnce = 1;
inline constexpr uint8_t kSendAtOnce = 2;
inline constexpr uint8_t kFinishAtOnce = 4;   // handler's end, at the end of input or of the stream
inline constexpr uint8_t kGiveUpAtData = 8;   // cancel or finish at the first message
inline constexpr uint8_t kCallAgain = 16;     // start a call, wherever it is
inline constexpr uint8_t kCancelOthers = 32;  // cancel the first call there is

class SessionActor final : public SessionHost, private CheckedOwner {
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
    const size_t padding = (op & 0x10) != 0 ? 5000 : op >> 5;
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
        if (CheckedStream* stream = Pick(outgoing_, which)) SendOn(*stream, padding);
        return;
      case 5:
        if (CheckedStream* stream = Pick(incoming_, which)) SendOn(*stream, padding);
        return;
      case 6:
        if (CheckedStream* stream = Pick(outgoing_, which)) ConsumeOn(*stream);
        return;
      case 7:
        if (CheckedStream* stream = Pick(incoming_, which)) ConsumeOn(*stream);
        return;
      case 8:
        if (CheckedStream* stream = Pick(outgoing_, which)) {
          if ((op & 0x80) != 0) return CancelStream(*stream);
          if (!stream->rest.empty()) return;  // in the middle of a message
          session_->CloseSend(stream->mux);
        }
        return;
      case 9:
        if (CheckedStream* stream = Pick(incoming_, which)) {
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
      CheckedStream& stream = *incoming_[i];
      while (ConsumeOn(stream)) {
      }
      if (stream.mux == nullptr) continue;
      Finish(stream, absl::OkStatus());
      changed = true;
    }
    for (size_t i = 0; i < outgoing_.size(); ++i) {
      while (ConsumeOn(*outgoing_[i])) changed = true;
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
    for (const auto& call : calls_) call->CheckOver();
    for (const auto& stream : outgoing_) stream->CheckOver();
    for (const auto& stream : incoming_) stream->CheckOver();
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
  // SessionHost

  void OnReply(PendingCall* call, BytesView payload) override {
    static_cast<CheckedCall*>(call)->OnReply(payload);
  }
  void OnCallFailed(PendingCall* call, const absl::Status& status) override {
    static_cast<CheckedCall*>(call)->OnFailed(status);
  }
  // The first byte of a request's payload says what becomes of it.
  Admit OnRequest(const HandlerEntry& entry, const InboundRequest& request,
                  RunningRequest** running) override {
    Require(!entry.is_stream(), "a request to a stream's handler");
    CheckMeta(request.meta, options_.extensions.meta != 0, options_.honest_peer);
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
    held_.push_back(std::make_unique<CheckedRequest>(request, payload));
    *running = held_.back().get();
    return Admit::kPending;
  }
  void OnRequestCancelled(RunningRequest* running, const absl::Status& why) override {
    auto* held = static_cast<CheckedRequest*>(running);
    held->OnCancelled(why);
    if (held->payload.size() > 2 && (held->payload[2] & 1) != 0) Answer(*held, false);
  }
  void OnRequestDraining(RunningRequest* running) override {
    Require(draining_, "a request was told of a drain that there is not");
    auto* held = static_cast<CheckedRequest*>(running);
    held->OnDraining();
    if (held->payload.size() > 2 && (held->payload[2] & 2) != 0) Answer(*held, false);
  }
  void OnPeerDraining() override {
    Require(options_.extensions.goaway != 0 && !peer_draining_, "the peer drains twice");
    peer_draining_ = true;
  }
  // The first byte of the initial payload is the mode of the handler.
  StreamSink* OnStream(const HandlerEntry& entry, const InboundStream& stream) override {
    Require(entry.is_stream(), "a stream to a request's handler");
    CheckMeta(stream.meta, options_.extensions.meta != 0, options_.honest_peer);
    const uint8_t mode = stream.initial.empty() ? 0 : stream.initial[0];
    if (mode == 255) return nullptr;
    incoming_.push_back(
        std::make_unique<CheckedStream>(Common(mode), CheckedStream::End::kHandler));
    CheckedStream& served = *incoming_.back();
    served.mux = stream.mux;
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

  // CheckedOwner

  void OnCalled(uint8_t mode) override {
    if (depth_ > 3) return;
    ++depth_;
    if ((mode & kCallAgain) != 0) StartCall(mode & ~kCallAgain, 50, 3);
    if ((mode & kCancelOthers) != 0 && !calls_.empty()) Cancel(*calls_[0]);
    --depth_;
  }
  void OnArrived(CheckedStream& stream) override {
    if ((stream.mode & kConsumeAtOnce) != 0) ConsumeOn(stream);
    if ((stream.mode & kSendAtOnce) != 0) SendOn(stream, 1);
    if ((stream.mode & kGiveUpAtData) == 0) return;
    if (stream.at_handler()) {
      Finish(stream, absl::UnknownError("enough"));
    } else {
      CancelStream(stream);
    }
  }
  void OnRoom(CheckedStream& stream) override {
    if ((stream.mode & kSendAtOnce) != 0 || !stream.rest.empty()) SendOn(stream, 1);
  }
  void OnOver(CheckedStream& stream) override {
    if ((stream.mode & kFinishAtOnce) != 0) Finish(stream, absl::OkStatus());
  }

  // What operations are made of.

  Checked Common(uint8_t mode) {
    return {.owner = *this, .honest = options_.honest_peer, .mode = mode};
  }

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
    std::string payload(contents % 5, static_cast<char>(contents / 5));
    if (contents == 255) payload.assign(35'000, '\0');
    auto call = std::make_unique<CheckedCall>(Common(mode), std::move(payload));
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
  void Cancel(CheckedCall& call) {
    const bool running = call.running();
    Require(session_->CancelCall(call.id) == (running ? &call : nullptr),
            "CancelCall is wrong about the call");
    if (running) call.cancelled = true;
  }

  void OpenStream(uint8_t which, uint8_t mode, uint8_t initial) {
    const HandlerEntry* entry = Handlers().Find(kStreamOne + which % 3, nullptr);
    auto stream = std::make_unique<CheckedStream>(Common(mode), CheckedStream::End::kCaller);
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
  static CheckedStream* Pick(const std::vector<std::unique_ptr<CheckedStream>>& streams,
                             uint8_t which) {
    if (streams.empty()) return nullptr;
    // Mostly a recent one.
    CheckedStream* stream =
        streams[streams.size() - 1 - which % std::min<size_t>(streams.size(), 8)].get();
    return stream->mux == nullptr ? nullptr : stream;
  }

  void SendOn(CheckedStream& stream, size_t padding) {
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
  // False: nothing is unread.
  bool ConsumeOn(CheckedStream& stream) {
    if (stream.mux == nullptr || stream.unread.empty()) return false;
    const auto [messages, bytes] = stream.unread.front();
    stream.unread.pop_front();
    session_->Consumed(stream.mux, messages, bytes, *now_);
    return true;
  }
  void CancelStream(CheckedStream& stream) {
    if (stream.mux == nullptr) return;
    StreamMux* const mux = std::exchange(stream.mux, nullptr);
    stream.given_up = true;
    session_->CancelStream(mux);
  }
  void Finish(CheckedStream& stream, const absl::Status& status) {
    if (stream.mux == nullptr) return;
    StreamMux* const mux = std::exchange(stream.mux, nullptr);
    stream.given_up = true;
    const bool inside = status.ok() && !stream.rest.empty();
    session_->Finish(mux, inside ? absl::UnknownError("inside a message") : status);
  }
  void Answer(CheckedRequest& held, bool error) {
    if (held.answered) return;
    held.answered = true;
    if (error) {
      session_->AnswerError(held.request, &held, absl::UnknownError("late no"), *now_);
    } else {
      const Packed packed = Pack(AsBytes(held.payload));
      session_->Answer(held.request, &held, packed.bytes, *now_, packed.compressed);
    }
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
  // Never shrink: they stay known, to see what is told to those that are over.
  std::vector<std::unique_ptr<CheckedCall>> calls_;
  std::vector<std::unique_ptr<CheckedStream>> outgoing_;
  std::vector<std::unique_ptr<CheckedStream>> incoming_;
  std::vector<std::unique_ptr<CheckedRequest>> held_;
};

}  // namespace grid::fuzz

#endif  // GRID_FUZZ_SESSION_ACTOR_H_
