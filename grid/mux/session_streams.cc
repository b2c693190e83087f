// Session: streams, at both ends.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {

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

}  // namespace grid
