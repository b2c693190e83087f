#include "grid/mux/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"
#include "serialization/merged.h"

namespace grid {
namespace {

constexpr uint8_t kVersion1Flags =
    kFlagCrc | kFlagEof | kFlagStateless | kFlagPayloadIsErr | kFlagPayloadIsZero | kFlagSubroute;

uint8_t KnownFlags(const Extensions& extensions) {
  uint8_t flags = kVersion1Flags;
  if (extensions != Extensions()) flags |= kFlagExtended;
  if (extensions.zstd != 0) flags |= kFlagCompressed;
  return flags;
}

// What a clock may be too coarse to tell from nothing.
constexpr Duration kLeastRoundTrip = std::chrono::microseconds(1);

// What a failure says where only text can travel.
std::string ErrorText(const absl::Status& error) {
  return error.message().empty() ? absl::StatusCodeToString(error.code())
                                 : std::string(error.message());
}

// As a peer names it: none but those that there are.
absl::StatusCode CodeFrom(uint8_t value, absl::StatusCode otherwise) {
  if (value == 0) return otherwise;
  return value <= static_cast<uint8_t>(absl::StatusCode::kUnauthenticated)
             ? static_cast<absl::StatusCode>(value)
             : absl::StatusCode::kUnknown;
}

}  // namespace

Session::Session(const SessionConfig& config, const HandlerTable& handlers, BufferPool& pool,
                 SessionCounters& counters, SessionHost& host, TimePoint now)
    : config_(config),
      handlers_(handlers),
      pool_(pool),
      counters_(counters),
      host_(host),
      base_flags_(config.checksums ? kFlagCrc : 0),
      known_flags_(KnownFlags(config.extensions)),
      compressed_flag_(config.extensions == Extensions() ? 0 : kFlagCompressed),
      start_(now),
      now_(now),
      resets_(config.max_resets, config.resets_per_second),
      output_(pool, counters),
      reassembly_(config.reassembly, pool),
      wheel_(now),
      calls_(config.first_generation),
      last_pong_(now),
      next_ping_(now + config.ping_interval) {
  ping_timer_.kind = kPing;
  wheel_.Set(&ping_timer_, next_ping_);
}

Session::~Session() = default;

void Session::OnMessage(BytesView message, TimePoint now) {
  if (failed_ || ended_) return;
  now_ = now;
  counters_.bytes_in.Add(message.size());
  Dispatch(message, false);
}

void Session::Dispatch(BytesView bytes, bool inside_merged) {
  Message message;
  BytesView rest;
  const DecodeError error = DecodeMessage(bytes, &message, &rest);
  if (error != DecodeError::kOk) {
    const bool checksum = error == DecodeError::kCrcMismatch || error == DecodeError::kMissingCrc;
    return Fail(checksum ? SessionEnd::kBadChecksum : SessionEnd::kMalformedMessage,
                DescribeDecodeError(error));
  }
  if ((message.flags & ~known_flags_) != 0) counters_.Count(Drop::kUnknownFlags);
  if (!TakeFields(&message)) {
    return Fail(SessionEnd::kMalformedMessage, "the extension block can't be read");
  }
  if (message.op == Op::kMerged) {
    if (inside_merged) return Fail(SessionEnd::kNestedMerged, "a Merged inside a Merged");
    MergedReader reader(message.seq, rest);
    if (reader.ImpossibleCount()) {
      return Fail(SessionEnd::kBadMerged, "a Merged announces more messages than it has bytes for");
    }
    BytesView next;
    bool more = reader.Next(&next);
    while (more && !failed_ && !ended_) {
      const BytesView inner = next;
      more = reader.Next(&next);
      // Who waits for the next one is on its way into the cache while this one is handled.
      if (more) calls_.Prefetch(PeekMuxId(next));
      counters_.merged_in.Add(1);
      Dispatch(inner, true);
    }
    if (!reader.ok()) Fail(SessionEnd::kBadMerged, "a Merged is shorter than it announces");
    return;
  }
  counters_.messages_in.Add(1);
  if (config_.extensions.fragments != 0) return OnFragmentOrWhole(message);
  Process(message);
}

void Session::Process(const Message& message) {
  if ((message.flags & compressed_flag_) != 0) return HandleCompressed(message);
  Handle(message);
}

void Session::Handle(const Message& message) {
  switch (message.op) {
    case Op::kRequest:
      return OnRequest(message);
    case Op::kResponse:
      return OnResponse(message);
    case Op::kMuxServerMsg:
      return OnStreamMessage(message, StreamMux::Side::kCaller);
    case Op::kMuxClientMsg:
      return OnStreamMessage(message, StreamMux::Side::kHandler);
    case Op::kUnblockClMux:
      return OnUnblock(message, FindAlive(message.mux_id, StreamMux::Side::kCaller));
    case Op::kUnblockSrvMux:
      return OnUnblock(message, FindAlive(message.mux_id, StreamMux::Side::kHandler));
    case Op::kConnectMux:
      return OnConnectMux(message);
    case Op::kAckMux:
      return OnAckMux(message);
    case Op::kMuxConnectError:
      return OnMuxConnectError(message);
    case Op::kDisconnectClientMux:
      return OnDisconnectClientMux(message);
    case Op::kDisconnectServerMux:
      return OnDisconnectServerMux(message);
    case Op::kPing:
      return message.mux_id == 0 ? OnPing(message) : OnMuxPing(message);
    case Op::kPong:
      return message.mux_id == 0 ? OnPong(message) : OnMuxPong(message);
    case Op::kDisconnect:
      return OnDisconnect(message);
    case Op::kConnect:
    case Op::kConnectResponse:
      return counters_.Count(Drop::kUnexpectedOp);
    case Op::kInvalid:
    case Op::kMerged:
      break;
  }
  counters_.Count(Drop::kUnknownOp);
}

// False for a block that should be there and is none.
bool Session::TakeFields(Message* message) {
  if (has_fields_) fields_ = {};
  has_fields_ = (message->flags & known_flags_ & kFlagExtended) != 0;
  if (!has_fields_) return true;
  if (IsNil(message->extension) || !ReadExtension(message->extension, &fields_)) return false;
  if (fields_.handler != 0 && config_.extensions.handlers16 != 0) {
    message->handler = fields_.handler;
  }
  return true;
}

void Session::Fail(SessionEnd why, std::string_view detail) {
  if (failed_ || ended_) return;
  failed_ = true;
  host_.OnSessionEnd(why, detail);
}

OutputQueue::Ticket Session::Push(Message& message, Priority priority, PayloadRef payload) {
  // After the end nothing can leave; while it approaches (failed_), what is pushed is dropped with
  // the queue.
  if (ended_) return {};
  message.flags |= base_flags_;
  if (!message.extension.empty()) message.flags |= kFlagExtended;
  const OutputQueue::Ticket ticket = config_.extensions.fragments == 0
                                         ? output_.Push(message)
                                         : Schedule(message, priority, payload);
  CheckOutput();
  return ticket;
}

// With a block that says what `fields` do.
OutputQueue::Ticket Session::PushExtended(Message message, const ExtensionFields& fields,
                                          Priority priority, PayloadRef payload) {
  ExtensionBlock block;
  block.Write(fields);
  message.extension = block.view();
  return Push(message, priority, payload);
}

// Of what answers the message being processed.
Priority Session::AnswerPriority(const HandlerEntry& entry) const {
  const bool valid =
      fields_.priority > 0 && fields_.priority <= static_cast<uint8_t>(Priority::kBulk);
  return valid ? static_cast<Priority>(fields_.priority) : entry.priority;
}

// What answers a message with all its fields, unknown flags included, but for what is behind its
// array.
Message Session::CopyOf(const Message& message) const {
  Message copy = message;
  copy.flags &=
      static_cast<uint8_t>(~(kFlagSubroute | (known_flags_ & kFlagExtended) | compressed_flag_));
  copy.subroute = nullptr;
  copy.extension = {};
  return copy;
}

// With `error` as its payload and, where the peer understands them, its code and delivery class.
void Session::PushError(Message message, const absl::Status& error, Priority priority) {
  // An error must fit; what is cut off is only text.
  const std::string text =
      ErrorText(error).substr(0, config_.max_message_bytes - kMaxMessageOverhead);
  message.payload = AsBytes(text);
  PushWithStatus(message, error, priority);
}

void Session::PushWithStatus(Message message, const absl::Status& error, Priority priority) {
  if (config_.extensions.status == 0) {
    Push(message, priority);
    return;
  }
  PushExtended(message,
               {.code = static_cast<uint8_t>(error.code()),
                .delivery = static_cast<uint8_t>(1 + static_cast<int>(DeliveryOf(error)))},
               priority);
}

// An error that has come: as its block says, or else with `code` and `delivery`.
absl::Status Session::RemoteError(std::string_view text, absl::StatusCode code,
                                  Delivery delivery) const {
  if (fields_.delivery > 0 && fields_.delivery <= 1 + static_cast<int>(Delivery::kExecuted)) {
    delivery = static_cast<Delivery>(fields_.delivery - 1);
  }
  return WithDelivery(absl::Status(CodeFrom(fields_.code, code), {text.data(), text.size()}),
                      delivery, /*remote=*/true);
}

// Requests and stream messages stop at max_output_bytes. What is left, answers and control
// messages, is bounded by what the peer sends; a peer that goes on sending without reading is cut
// off here.
void Session::CheckOutput() {
  if (output_.bytes() > 2 * config_.max_output_bytes + payload_limit() + kMaxMessageOverhead) {
    Fail(SessionEnd::kOutputOverflow,
         absl::StrCat(output_.bytes(), " bytes wait to be written: the peer does not read"));
  }
}

bool Session::OutputAllows(size_t payload) const {
  return output_.bytes() == 0 ||
         output_.bytes() + payload + kMaxMessageOverhead <= config_.max_output_bytes;
}

void Session::OnTimer(TimePoint now) {
  if (ended_) return;
  now_ = now;
  wheel_.Advance(now, [this](TimerNode* timer) {
    switch (timer->kind) {
      case kCallDeadline:
        return OnCallDeadline(static_cast<ClientMux*>(timer->owner));
      case kRequestDeadline:
        return OnRequestDeadline(static_cast<ServerMux*>(timer->owner));
      case kStreamDeadline:
        return OnStreamDeadline(static_cast<StreamMux*>(timer->owner));
      case kStreamPing:
        return OnStreamPingTimer(static_cast<StreamMux*>(timer->owner));
      case kPing:
        return OnPingTimer();
      case kReassembly:
        return GiveUpPayload(static_cast<Reassembly::Partial*>(timer->owner));
    }
  });
}

// --- Connection keep-alive ---

WireTime Session::WallAt(TimePoint at) const {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  const auto since_epoch =
      config_.wall_start.time_since_epoch() + duration_cast<nanoseconds>(at - start_);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return {seconds.count(), static_cast<int32_t>((since_epoch - seconds).count())};
}

void Session::OnPingTimer() {
  const TimePoint give_up = last_pong_ + 2 * config_.ping_interval;
  if (now_ >= give_up) return Fail(SessionEnd::kPingTimeout, "no pong for two ping intervals");
  if (now_ >= next_ping_) SendPing();
  wheel_.Set(&ping_timer_, std::min(next_ping_, give_up));
}

void Session::SendPing() {
  scratch_.Resize(0);
  Encode(PingMessage{WallAt(now_)}, &scratch_);
  // The one message besides Connect and Merged that never has a checksum; its deadline field holds
  // the interval.
  const Message ping{.deadline_ms = static_cast<uint32_t>(config_.ping_interval.count()),
                     .op = Op::kPing,
                     .payload = scratch_};
  output_.Push(ping,
               config_.extensions.fragments == 0 ? OutputQueue::kNormal : OutputQueue::kControl);
  ping_sent_ = now_;
  next_ping_ = now_ + config_.ping_interval;
}

void Session::OnPing(const Message& message) {
  PingMessage ping;  // without a payload: Go's zero time
  if (!message.payload.empty() && !Decode(message.payload, &ping).ok()) {
    counters_.Count(Drop::kBadControlPayload);
    ping = {};
  }
  PongMessage pong;
  pong.time = ping.time;
  SendPong(message, pong);
}

void Session::SendPong(const Message& ping, const PongMessage& pong) {
  scratch_.Resize(0);
  Encode(pong, &scratch_);
  Message reply = CopyOf(ping);
  reply.op = Op::kPong;
  reply.payload = scratch_;
  Push(reply);
}

void Session::OnPong(const Message& message) {
  PongMessage pong;
  if (!Decode(message.payload, &pong).ok()) return counters_.Count(Drop::kBadControlPayload);
  if (ping_sent_ == TimePoint{}) return counters_.Count(Drop::kUnexpectedOp);
  last_pong_ = now_;
  counters_.last_pong_ns.Set(static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now_.time_since_epoch()).count()));
  if (pong.time == WallAt(ping_sent_)) {
    round_trip_ = std::clamp<Duration>(now_ - ping_sent_, kLeastRoundTrip, round_trip_);
    counters_.round_trip_ns.Set(static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now_ - ping_sent_).count()));
  }
}

// --- The end ---

void Session::Shutdown(const absl::Status& status) {
  if (ended_) return;
  // State first, then timers, then callbacks: whatever they call finds a session that is over.
  ended_ = true;
  wheel_.Clear(&ping_timer_);
  output_waiters_.clear();
  const absl::Status maybe = WithDelivery(status, Delivery::kMaybeExecuted);
  const absl::Status unsent = WithDelivery(status, Delivery::kNotSent);

  // By id: a callback may end others of them.
  std::vector<std::pair<uint64_t, bool>> calls;  // and whether it has left
  calls.reserve(calls_.size());
  calls_.ForEach([&](const ClientMux& mux) {
    calls.emplace_back(mux.id, output_.HasLeft(mux.opening, {mux.id, true}));
  });
  output_.Clear();
  reassembly_.ForEach([this](Reassembly::Partial* partial) { GiveUpPayload(partial); });
  for (const auto& [id, left] : calls) {
    ClientMux* mux = calls_.Find(id);
    if (mux == nullptr) continue;
    const absl::Status& why = left ? maybe : unsent;
    if (mux->stream != nullptr) {
      EndCallerStream(mux->stream.get(), why);
    } else {
      EndCall(mux, why);
    }
  }

  std::vector<uint64_t> ids;
  ids.reserve(serving_.size());
  for (const auto& [id, mux] : serving_) ids.push_back(id);
  for (const uint64_t id : ids) {
    ServerMux* mux = FindServer(id);
    if (mux == nullptr) continue;
    if (mux->stream != nullptr) {
      EndHandlerStream(mux->stream.get(), maybe);
    } else if (!mux->cancelled) {
      mux->cancelled = true;
      wheel_.Clear(&mux->deadline_timer);
      host_.OnRequestCancelled(mux->running, maybe);
    }
  }
}

}  // namespace grid
