// Session: streams, at both ends.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// The server gives up after this many of the caller's ping intervals; the caller after
// kCallerPatience.
constexpr int kHandlerPatience = 4;
constexpr int kCallerPatience = 2;

// Every stream is let have this much, whatever the others have.
constexpr uint64_t kLeastWindow = 4096;

// Streams with a deadline up to one ping interval need no pings: the deadline ends them soon
// enough.
bool NeedsPings(const StreamMux& mux, TimePoint now, std::chrono::milliseconds interval) {
  return mux.deadline == TimePoint::max() || mux.deadline - now > interval;
}

}  // namespace

std::unique_ptr<StreamMux> Session::NewStream(StreamMux::Side side, uint64_t id,
                                              TimePoint deadline) {
  std::unique_ptr<StreamMux> mux;
  if (stream_free_.empty()) {
    mux = std::make_unique<StreamMux>();
  } else {
    mux = std::move(stream_free_.back());
    stream_free_.pop_back();
    *mux = StreamMux();
  }
  mux->id = id;
  mux->side = side;
  mux->deadline = deadline;
  mux->last_heard = now_;
  mux->deadline_timer.kind = kStreamDeadline;
  mux->deadline_timer.owner = mux.get();
  mux->ping_timer.kind = kStreamPing;
  mux->ping_timer.owner = mux.get();
  return mux;
}

void Session::StartStreamTimers(StreamMux* mux) {
  if (mux->deadline != TimePoint::max()) wheel_.Set(&mux->deadline_timer, mux->deadline);
  if (!NeedsPings(*mux, now_, config_.stream_ping_interval)) return;
  const int intervals = mux->side == StreamMux::Side::kCaller ? 1 : kHandlerPatience;
  mux->next_ping = now_ + intervals * config_.stream_ping_interval;
  wheel_.Set(&mux->ping_timer, mux->next_ping);
}

// --- Opening ---

absl::StatusOr<StreamMux*> Session::OpenStream(const StreamArgs& args, StreamSink* sink,
                                               TimePoint now) {
  now_ = now;
  const bool credits = config_.extensions.credits != 0;
  const bool extended = credits || args.compressed.original_bytes != 0 ||
                        IsExtended(args.handler, args.priority, args.meta);
  absl::Status allowed = CheckOutgoing(args.handler, args.compressed.OriginalSize(args.initial),
                                       args.initial.size(), extended ? kMaxExtensionOverhead : 0);
  if (!allowed.ok()) return allowed;
  if (args.deadline <= now) {
    return WithDelivery(absl::DeadlineExceededError("the deadline had passed before sending"),
                        Delivery::kNotSent);
  }
  ClientMux* slot = calls_.Add();
  slot->stream = NewStream(StreamMux::Side::kCaller, slot->id, args.deadline);
  StreamMux* mux = slot->stream.get();
  mux->slot = slot;
  mux->sink = sink;
  mux->next_send = 1;
  mux->next_receive = 0;
  mux->priority = args.priority;
  mux->in_capacity = args.has_input ? std::max(1u, args.in_capacity) : 0;
  mux->sent_eof = !args.has_input;
  StartStreamTimers(mux);
  counters_.outgoing_streams.Add(1);
  CountLeftOut(args.meta);

  Message message{.mux_id = mux->id, .handler = args.handler, .op = Op::kConnectMux, .flags = 0};
  if (args.deadline != TimePoint::max()) message.deadline_ms = RemainingMs(args.deadline, now);
  if (!args.has_input) message.flags |= kFlagEof;
  if (args.initial.empty() && !IsNil(args.initial)) message.flags |= kFlagPayloadIsZero;
  if (args.subroute != nullptr) {
    message.flags |= kFlagSubroute;
    message.subroute = args.subroute->bytes.data();
  }
  ExtensionFields fields;
  if (credits) {
    OpenReceiveWindow(mux, args.window);
    AddWindow(mux->receive, &fields);
    if (args.read_pieces) ReadInPieces(mux, &fields);
  } else {
    mux->receive.Open({std::max(1u, args.out_capacity), kUnlimitedBytes}, 0);
  }
  slot->opening = extended ? PushOpening(message, args.priority, args.initial, args.compressed,
                                         args.meta, fields)
                           : PushPayload(message, args.priority, args.initial, args.compressed);
  MeasureRoundTrip();
  return mux;
}

void Session::OnConnectMux(const Message& message) {
  if ((message.flags & kFlagStateless) != 0) {
    counters_.Count(Drop::kStatelessStream);
    return SendMuxConnectError(message,
                               absl::UnimplementedError("stateless streams are not supported"));
  }
  const HandlerEntry* entry =
      message.handler == 0 ? nullptr : handlers_.Find(message.handler, message.subroute);
  if (entry == nullptr || !entry->is_stream()) return RefuseUnknownHandler(message);
  if (StreamMux* open = FindAlive(message.mux_id, StreamMux::Side::kHandler); open != nullptr) {
    // A repeat of number 0 in a stream that is past it.
    counters_.Count(Drop::kDuplicateMux);
    CountReset();
    return Abort(open, absl::DataLossError("out of sequence: the stream was opened twice"));
  }
  if (!AdmitInbound(message)) return;
  CallMeta meta;
  if (has_fields_ && !TakeMeta(message, &meta)) return;

  const TimePoint deadline = message.deadline_ms == 0
                                 ? TimePoint::max()
                                 : now_ + std::chrono::milliseconds(message.deadline_ms);
  ServerMux* server = AddServer(message.mux_id);
  server->stream = NewStream(StreamMux::Side::kHandler, message.mux_id, deadline);
  ++serving_streams_;
  CountServed();
  StreamMux* mux = server->stream.get();
  mux->next_send = 0;
  mux->next_receive = 1;
  mux->priority = AnswerPriority(*entry);
  mux->received_eof = (message.flags & kFlagEof) != 0;
  // The acknowledgement leaves before anything that the handler sends: it is number 0.
  const Message ack{.mux_id = mux->id, .seq = mux->next_send++, .op = Op::kAckMux};
  ExtensionFields window;
  const bool states_window =
      config_.extensions.credits != 0 && !mux->received_eof && entry->in_capacity > 0;
  if (config_.extensions.credits != 0) {
    mux->send.Grant({fields_.window_messages, fields_.window_bytes});
    mux->peer_reads_pieces = fields_.pieces && SpeaksPieces();
    if (states_window) {
      OpenReceiveWindow(mux, entry->window);
      AddWindow(mux->receive, &window);
      if (entry->read_pieces) ReadInPieces(mux, &window);
    }
  } else {
    mux->send.Grant({std::max(1u, entry->out_capacity), kUnlimitedBytes});
    mux->receive.Open({entry->in_capacity, kUnlimitedBytes}, 0);
  }
  if (states_window) {
    PushExtended(ack, window, mux->priority);
  } else {
    Push(ack, mux->priority);
  }
  MeasureRoundTrip();
  const InboundStream stream{mux, deadline, message.payload, mux->received_eof, meta};
  StreamSink* sink = host_.OnStream(*entry, stream);
  // The handler may have finished already, and its mux be gone.
  server = FindServer(message.mux_id);
  if (server == nullptr) return;
  if (sink == nullptr) {
    counters_.Count(Drop::kHandlerRefused);
    const Priority priority = mux->priority;
    RemoveServer(server);
    return SendMuxConnectError(message, NoRoomError(), priority);
  }
  if (!mux->finishing) mux->sink = sink;
  StartStreamTimers(mux);
}

void Session::OnAckMux(const Message& message) {
  StreamMux* mux = FindAlive(message.mux_id, StreamMux::Side::kCaller);
  if (mux == nullptr) return counters_.Count(Drop::kLateStreamMessage);
  if (!CheckSequence(message, mux)) return;
  if (mux->acked) return counters_.Count(Drop::kUnexpectedOp);
  mux->acked = true;
  mux->peer_reads_pieces = fields_.pieces && SpeaksPieces();
  TakeCredits(mux, config_.extensions.credits != 0
                       ? Credits{fields_.window_messages, fields_.window_bytes}
                       : Credits{mux->in_capacity, kUnlimitedBytes});
}

// --- Finding and checking ---

StreamMux* Session::FindStream(uint64_t id, StreamMux::Side side) {
  if (side == StreamMux::Side::kCaller) {
    ClientMux* mux = calls_.Find(id);
    return mux == nullptr ? nullptr : mux->stream.get();
  }
  ServerMux* mux = FindServer(id);
  return mux == nullptr ? nullptr : mux->stream.get();
}

// A stream that is not over on the wire.
StreamMux* Session::FindAlive(uint64_t id, StreamMux::Side side) {
  StreamMux* mux = FindStream(id, side);
  return mux == nullptr || mux->over ? nullptr : mux;
}

bool Session::CheckSequence(const Message& message, StreamMux* mux) {
  mux->last_heard = now_;
  if (message.seq == mux->next_receive) {
    ++mux->next_receive;
    return true;
  }
  counters_.Count(Drop::kOutOfSequence);
  if (mux->side == StreamMux::Side::kHandler) CountReset();
  Abort(mux, WithDelivery(
                 absl::DataLossError(absl::StrCat("out of sequence: got message ", message.seq,
                                                  " of the stream, expected ", mux->next_receive)),
                 Delivery::kMaybeExecuted));
  return false;
}

// Whether another message may come.
bool Session::CheckCredit(StreamMux* mux) {
  if (!mux->received_eof && mux->receive.open()) return true;
  counters_.Count(Drop::kCreditExceeded);
  if (mux->side == StreamMux::Side::kHandler) CountReset();
  Abort(mux,
        WithDelivery(absl::ResourceExhaustedError(
                         mux->received_eof ? "handler blocked: a message after the end of input"
                                           : "handler blocked: a message without credit"),
                     Delivery::kMaybeExecuted));
  return false;
}

// --- Data ---

// Data may bring credit along, which counts once the data has been dealt with.
void Session::OnStreamMessage(const Message& message, StreamMux::Side side) {
  OnStreamData(message, FindAlive(message.mux_id, side));
  if (!has_fields_ || config_.extensions.credits == 0) return;
  if (StreamMux* mux = FindAlive(message.mux_id, side); mux != nullptr) {
    TakeCredits(mux, {fields_.grant_messages, fields_.grant_bytes});
  }
}

void Session::OnStreamData(const Message& message, StreamMux* mux) {
  if (mux == nullptr) return counters_.Count(Drop::kLateStreamMessage);
  const bool caller = mux->side == StreamMux::Side::kCaller;
  const bool eof = (message.flags & kFlagEof) != 0;
  const bool error = caller && (message.flags & kFlagPayloadIsErr) != 0;
  const bool has_payload = !IsNil(message.payload);
  if (!has_payload && !eof && !error) {
    // Version 1 receivers skip these and do not count their number.
    return counters_.Count(Drop::kNilStreamMessage);
  }
  // Version 1 does not check the number of the server's plain end.
  if (!(caller && eof && !has_payload && !error) && !CheckSequence(message, mux)) return;
  mux->last_heard = now_;
  if (mux->finishing) return counters_.Count(Drop::kLateStreamMessage);

  if (error) {
    return EndCallerStream(
        mux, RemoteError(AsText(message.payload), absl::StatusCode::kUnknown, Delivery::kExecuted));
  }
  if (has_payload) {
    if (!CheckCredit(mux)) return;
    mux->receive.Receive(message.payload.size());
    const uint64_t id = mux->id;
    mux->sink->OnData(message.payload);
    if (!eof) return;
    // The sink may have ended the stream; a handler's end may wait for credit, without a sink.
    mux = FindAlive(id, caller ? StreamMux::Side::kCaller : StreamMux::Side::kHandler);
    if (mux == nullptr || mux->finishing) return;
  }
  if (caller) return EndCallerStream(mux, absl::OkStatus());
  if (mux->received_eof) return;
  mux->received_eof = true;
  mux->sink->OnEof();
}

void Session::OnUnblock(const Message& message, StreamMux* mux) {
  if (mux == nullptr) return counters_.Count(Drop::kLateStreamMessage);
  if (!CheckSequence(message, mux)) return;
  TakeCredits(mux, config_.extensions.credits != 0
                       ? Credits{fields_.grant_messages, fields_.grant_bytes}
                       : Credits{.messages = 1});
}

void Session::TakeCredits(StreamMux* mux, Credits credits) {
  mux->send.Grant(credits);
  if (!mux->send.open() && !(mux->sending.open && mux->send.open_for_more())) return;
  if (mux->finishing) return SendEnd(mux);
  if (!mux->wants_credit) return;
  mux->wants_credit = false;
  mux->sink->OnSendable();
}

Session::SendResult Session::Send(StreamMux* mux, PayloadRef payload,
                                  const Compressed& compressed) {
  if (ended_ || mux->over || mux->sent_eof || mux->finishing) return SendResult::kClosed;
  // Windows are of what the receiver has to keep: payloads as they are before compression.
  const size_t size = compressed.OriginalSize(payload.view());
  if (size > payload_limit()) {
    counters_.Count(Drop::kMessageTooBig);
    return SendResult::kTooBig;
  }
  if (mux->sending.open) return SendResult::kInPieces;
  if (!mux->send.open()) {
    mux->wants_credit = true;
    return SendResult::kNoCredit;
  }
  if (mux->peer_reads_pieces && payload.size() > config_.extensions.fragments &&
      compressed.original_bytes == 0) {
    return SendResult::kInPieces;
  }
  const bool credits = config_.extensions.credits != 0;
  if (credits && WaitForOutput(mux, payload.size())) return SendResult::kNoCredit;
  if (!credits && !OutputAllows(payload.size())) {
    counters_.Count(Drop::kOutputLimit);
    return SendResult::kOutputFull;
  }
  mux->send.Use(size);
  const bool caller = mux->side == StreamMux::Side::kCaller;
  const Op op = caller ? Op::kMuxClientMsg : Op::kMuxServerMsg;
  const uint8_t flags = payload.size() == 0 ? kFlagPayloadIsZero : 0;
  if (credits && mux->receive.GrantRides() && !mux->received_eof) {
    SendGrant(mux, op, flags, payload, compressed);
  } else {
    SendStreamOp(mux, op, flags, payload, compressed);
  }
  return SendResult::kSent;
}

// With `credits`: true when it has to wait, and will be told to go on.
bool Session::WaitForOutput(StreamMux* mux, size_t payload) {
  if (OutputAllows(payload + config_.max_output_bytes / 2)) return false;
  mux->wants_credit = true;
  if (!std::exchange(mux->waits_for_output, true)) output_waiters_.push_back({mux->id, mux->side});
  return true;
}

void Session::Consumed(StreamMux* mux, uint32_t messages, size_t bytes, TimePoint now) {
  mux->receive.Consume(messages, bytes);
  if (ended_ || mux->over || mux->received_eof || mux->finishing) return;
  const Op op = mux->side == StreamMux::Side::kCaller ? Op::kUnblockSrvMux : Op::kUnblockClMux;
  if (config_.extensions.credits != 0) {
    now_ = now;
    if (mux->receive.GrantDue()) SendGrant(mux, op, 0, {});
    return;
  }
  for (uint32_t left = mux->receive.TakeGrant().messages; left > 0; --left) {
    SendStreamOp(mux, op, 0, {});
  }
}

// --- Windows (the extension `credits`) ---

void Session::AddWindow(const ReceiveWindow& window, ExtensionFields* fields) {
  const Credits size = window.size();
  fields->window_messages = size.messages;
  fields->window_bytes = size.bytes;
}

// With all the credit that is due in its block. The window grows, if it should.
void Session::SendGrant(StreamMux* mux, Op op, uint8_t flags, PayloadRef payload,
                        const Compressed& compressed) {
  const uint64_t wanted = mux->receive.WantedGrowth(now_, round_trip_);
  if (wanted > 0) mux->receive.Grow(TakeWindowBytes(wanted));
  const Credits grant = mux->receive.TakeGrant();
  ExtensionFields fields{.grant_messages = grant.messages, .grant_bytes = grant.bytes};
  SendStreamOp(mux, op, flags, payload, compressed, &fields);
}

void Session::OpenReceiveWindow(StreamMux* mux, const StreamWindow& window) {
  uint64_t bytes = std::clamp<uint64_t>(window.bytes, 1, kUnlimitedBytes);
  const uint64_t least = std::min(bytes, kLeastWindow);
  const uint64_t taken = TakeWindowBytes(bytes);
  bytes = std::max(taken, least);
  window_bytes_ += bytes - taken;
  mux->receive.Open({std::max(1u, window.messages), bytes},
                    std::min<uint64_t>(window.max_bytes, kUnlimitedBytes));
}

// Takes from max_window_bytes: at most half of what is left, so that something is left for whoever
// comes next.
uint64_t Session::TakeWindowBytes(uint64_t wanted) {
  const uint64_t left =
      config_.max_window_bytes - std::min(config_.max_window_bytes, window_bytes_);
  if (wanted > left / 2) {
    counters_.Count(Drop::kWindowLimit);
    wanted = left / 2;
  }
  window_bytes_ += wanted;
  return wanted;
}

// Those that waited for room in the output, once half of what they may fill is free.
void Session::ResumeWaiters() {
  if (output_.bytes() > config_.max_output_bytes / 4) return;
  std::vector<Waiter> waiters;
  waiters.swap(output_waiters_);
  for (const Waiter& waiter : waiters) {
    // It may have ended, and waits no longer if credit has come.
    StreamMux* mux = FindAlive(waiter.id, waiter.side);
    if (mux == nullptr) continue;
    mux->waits_for_output = false;
    TakeCredits(mux, {});
  }
}

void Session::ReleaseWindow(const StreamMux& mux) {
  if (mux.reads_pieces) --piece_readers_;
  if (config_.extensions.credits != 0) window_bytes_ -= mux.receive.size().bytes;
}

// Windows grow by the round trip: the first stream asks for it, before there is data in the way.
void Session::MeasureRoundTrip() {
  if (config_.extensions.credits != 0 && ping_sent_ == TimePoint{}) SendPing();
}

void Session::SendStreamOp(StreamMux* mux, Op op, uint8_t flags, PayloadRef payload,
                           const Compressed& compressed, ExtensionFields* fields) {
  Message message{.mux_id = mux->id, .seq = mux->next_send++, .op = op, .flags = flags};
  PushPayload(message, mux->priority, payload, compressed, fields);
}

// The handler's end: the last message of a stream that has failed.
void Session::SendStreamError(StreamMux* mux, const absl::Status& error) {
  PushError({.mux_id = mux->id,
             .seq = mux->next_send++,
             .op = Op::kMuxServerMsg,
             .flags = kFlagEof | kFlagPayloadIsErr},
            error, mux->priority);
}

void Session::SendDisconnect(uint64_t mux_id, Op op, const absl::Status& error, Priority priority) {
  Message message{.mux_id = mux_id, .op = op};
  if (error.ok()) {
    Push(message, priority);
    return;
  }
  message.flags = kFlagPayloadIsErr;
  PushError(message, error, priority);
}

// --- Closing ---

void Session::CloseSend(StreamMux* mux) {
  if (ended_ || mux->over || mux->sent_eof) return;
  mux->sent_eof = true;
  // No credit is needed for the end of the client's direction, and no payload goes with it.
  SendStreamOp(mux, Op::kMuxClientMsg, kFlagEof, {});
}

void Session::CancelStream(StreamMux* mux) {
  DropPartsOfCaller(mux->id);
  if (!ended_) SendStreamOp(mux, Op::kDisconnectServerMux, 0, {});
  mux->sink = nullptr;
  EndCallerStream(mux, absl::OkStatus());
}

void Session::EndCallerStream(StreamMux* mux, const absl::Status& status) {
  ClientMux* slot = mux->slot;
  StreamSink* sink = mux->sink;
  wheel_.Clear(&mux->deadline_timer);
  wheel_.Clear(&mux->ping_timer);
  ReleaseWindow(*mux);
  DropPartsOfCaller(mux->id);
  stream_free_.push_back(std::move(slot->stream));
  calls_.Remove(slot);
  counters_.outgoing_streams.Sub(1);
  if (sink != nullptr) sink->OnEnd(status);
}

void Session::EndHandlerStream(StreamMux* mux, const absl::Status& status) {
  if (mux->over) return;
  mux->over = true;
  GiveUpPayload(reassembly_.Find({mux->id, true}));
  wheel_.Clear(&mux->deadline_timer);
  wheel_.Clear(&mux->ping_timer);
  if (mux->finishing) return RemoveServer(FindServer(mux->id));
  mux->sink->OnEnd(status);
}

void Session::Finish(StreamMux* mux, const absl::Status& status) {
  mux->sink = nullptr;
  mux->finishing = true;
  mux->finish_status = status;
  if (ended_ || mux->over) return RemoveServer(FindServer(mux->id));
  if (mux->send.open()) SendEnd(mux);
}

void Session::SendEnd(StreamMux* mux) {
  const uint64_t id = mux->id;
  const Priority priority = mux->priority;
  if (mux->finish_status.ok()) {
    SendStreamOp(mux, Op::kMuxServerMsg, kFlagEof, {});
  } else {
    SendStreamError(mux, WithDelivery(mux->finish_status, Delivery::kExecuted));
  }
  SendDisconnect(id, Op::kDisconnectClientMux, absl::OkStatus(), priority);
  mux->over = true;
  wheel_.Clear(&mux->deadline_timer);
  wheel_.Clear(&mux->ping_timer);
  RemoveServer(FindServer(id));
}

void Session::Abort(StreamMux* mux, const absl::Status& status) {
  // Handler's end: what is dead on the wire must not speak again.
  if (mux->over) return;
  if (mux->side == StreamMux::Side::kCaller) {
    DropPartsOfCaller(mux->id);
    SendStreamOp(mux, Op::kDisconnectServerMux, 0, {});
    return EndCallerStream(mux, status);
  }
  // With a credit the error takes the usual way; without one it travels in the disconnect.
  if (mux->send.open()) {
    SendStreamError(mux, status);
    SendDisconnect(mux->id, Op::kDisconnectClientMux, absl::OkStatus(), mux->priority);
  } else {
    SendDisconnect(mux->id, Op::kDisconnectClientMux, status, mux->priority);
  }
  EndHandlerStream(mux, status);
}

// --- Time ---

void Session::OnStreamDeadline(StreamMux* mux) {
  Abort(mux, WithDelivery(absl::DeadlineExceededError("the stream's deadline has passed"),
                          Delivery::kMaybeExecuted));
}

void Session::OnStreamPingTimer(StreamMux* mux) {
  const auto interval = config_.stream_ping_interval;
  const bool caller = mux->side == StreamMux::Side::kCaller;
  // Behind a large message of its own our Ping has not even left; the connection's pings must do.
  if (caller && output_.HasLane({mux->id, true})) mux->last_heard = now_;
  const TimePoint give_up =
      mux->last_heard + (caller ? kCallerPatience : kHandlerPatience) * interval;
  if (now_ >= give_up) {
    counters_.Count(Drop::kStreamPingTimeout);
    return Abort(mux, WithDelivery(absl::UnavailableError(
                                       caller ? "the peer no longer answers pings of this stream"
                                              : "the caller no longer pings this stream"),
                                   Delivery::kMaybeExecuted));
  }
  if (!caller) return wheel_.Set(&mux->ping_timer, give_up);
  if (now_ >= mux->next_ping) {
    SendStreamOp(mux, Op::kPing, 0, {});
    mux->next_ping = now_ + interval;
  }
  wheel_.Set(&mux->ping_timer, std::min(mux->next_ping, give_up));
}

void Session::OnMuxPing(const Message& message) {
  StreamMux* mux = FindAlive(message.mux_id, StreamMux::Side::kHandler);
  PongMessage pong;
  PingMessage ping;
  if (!message.payload.empty()) {
    if (Decode(message.payload, &ping).ok()) {
      pong.time = ping.time;
    } else {
      counters_.Count(Drop::kBadControlPayload);
    }
  }
  if (mux == nullptr) {
    // Its end may still wait to be written, and a Pong overtakes it. The caller asks again.
    if (config_.extensions.fragments != 0 && output_.bytes() > 0) return;
    pong.not_found = true;
  } else if (!CheckSequence(message, mux)) {
    return;
  }
  SendPong(message, pong);
}

void Session::OnMuxPong(const Message& message) {
  StreamMux* mux = FindAlive(message.mux_id, StreamMux::Side::kCaller);
  if (mux == nullptr) return counters_.Count(Drop::kLateStreamMessage);
  PongMessage pong;
  if (!Decode(message.payload, &pong).ok()) return counters_.Count(Drop::kBadControlPayload);
  mux->last_heard = now_;
  if (pong.not_found) {
    return EndCallerStream(
        mux, WithDelivery(absl::AbortedError("the peer does not know this stream any more"),
                          Delivery::kMaybeExecuted, /*remote=*/true));
  }
  if (pong.error.has_value()) {
    EndCallerStream(mux, WithDelivery(absl::UnknownError(*pong.error), Delivery::kMaybeExecuted,
                                      /*remote=*/true));
  }
}

void Session::CountServed() {
  counters_.incoming_streams.Set(serving_streams_);
  counters_.incoming_requests.Set(serving_.size() - serving_streams_);
}

}  // namespace grid
