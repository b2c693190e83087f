// Session: single requests, at both ends.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {

// Rounded up, so that the handler is not told an earlier end than the caller waits for; cut to what
// the field can hold (49 days).
uint32_t Session::RemainingMs(TimePoint deadline, TimePoint now) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(left, 1, UINT32_MAX));
}

// --- The caller's end ---

std::string Session::TooBig(std::string_view what, size_t payload) const {
  const std::string_view option = payload_limit_name();
  const size_t limit = config_.extensions.fragments != 0 ? config_.reassembly.max_payload_bytes
                                                         : config_.max_message_bytes;
  return absl::StrCat(absl::string_view(what.data(), what.size()), " of ", payload,
                      " bytes exceeds ", absl::string_view(option.data(), option.size()), " (",
                      limit, ")");
}

absl::Status Session::CheckOutgoing(uint16_t handler, size_t payload, size_t wire,
                                    size_t extension) {
  if (ended_ || failed_) {
    return DisconnectedError("the connection has ended", Delivery::kNotSent);
  }
  if (peer_draining_) return PeerDrainingError();
  if (handler == 0) {
    return WithDelivery(
        absl::InvalidArgumentError(absl::StrCat("handler id must be 1 to ", HandlerId::kMax)),
        Delivery::kNotSent);
  }
  if (handler > UINT8_MAX && config_.extensions.handlers16 == 0) {
    counters_.Count(Drop::kHandlerNotSent);
    return WithDelivery(
        absl::UnimplementedError(absl::StrCat("handler id ", handler,
                                              " is above 255: the peer does not speak handlers16")),
        Delivery::kNotSent);
  }
  // Where fragments are on, a block of its own is no part of the payload's limit.
  const size_t beside = config_.extensions.fragments != 0 ? 0 : extension;
  if (payload + beside > payload_limit()) {
    counters_.Count(Drop::kMessageTooBig);
    return WithDelivery(absl::InvalidArgumentError(TooBig("a payload", payload)),
                        Delivery::kNotSent);
  }
  if (calls_.size() >= config_.max_inflight) {
    counters_.Count(Drop::kInflightLimitOut);
    return WithDelivery(
        absl::ResourceExhaustedError(absl::StrCat("max_inflight (", config_.max_inflight,
                                                  ") requests and streams are in flight")),
        Delivery::kRejected);
  }
  if (!OutputAllows(wire)) {
    counters_.Count(Drop::kOutputLimit);
    return WithDelivery(absl::ResourceExhaustedError(absl::StrCat(
                            output_.bytes(), " bytes wait to be written, max_output_bytes is ",
                            config_.max_output_bytes)),
                        Delivery::kRejected);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Session::StartCall(const CallArgs& args, PendingCall* call,
                                            TimePoint now) {
  now_ = now;
  const bool extended =
      args.compressed.original_bytes != 0 || IsExtended(args.handler, args.priority, args.meta);
  absl::Status allowed =
      CheckOutgoing(args.handler, args.compressed.OriginalSize(args.payload.view()),
                    args.payload.size(), extended ? kMaxExtensionOverhead : 0);
  if (!allowed.ok()) return allowed;
  if (args.deadline <= now) {
    return WithDelivery(absl::DeadlineExceededError("the deadline had passed before sending"),
                        Delivery::kNotSent);
  }
  ClientMux* mux = calls_.Add();
  mux->call = call;
  mux->deadline_timer.kind = kCallDeadline;
  mux->deadline_timer.owner = mux;
  wheel_.Set(&mux->deadline_timer, args.deadline);
  counters_.outgoing_requests.Add(1);
  CountLeftOut(args.meta);
  const uint64_t id = mux->id;
  // Version 1 never sets PayloadIsZero on a request: an empty one arrives as nil.
  Message message{.mux_id = id,
                  .deadline_ms = RemainingMs(args.deadline, now),
                  .handler = args.handler,
                  .op = Op::kRequest,
                  .flags = kFlagEof};
  if (args.subroute != nullptr) {
    message.flags |= kFlagSubroute;
    message.subroute = args.subroute->bytes.data();
  }
  mux->priority = args.priority;
  mux->opening =
      extended ? PushOpening(message, args.priority, args.payload, args.compressed, args.meta, {})
               : PushPayload(message, args.priority, args.payload, args.compressed);
  return id;
}

PendingCall* Session::ForgetCall(ClientMux* mux) {
  PendingCall* call = mux->call;
  wheel_.Clear(&mux->deadline_timer);
  DropPartsOfCaller(mux->id);
  calls_.Remove(mux);
  counters_.outgoing_requests.Sub(1);
  return call;
}

void Session::EndCall(ClientMux* mux, const absl::Status& status) {
  host_.OnCallFailed(ForgetCall(mux), status);
}

PendingCall* Session::CancelCall(uint64_t mux_id) {
  ClientMux* mux = calls_.Find(mux_id);
  if (mux == nullptr || mux->call == nullptr) return nullptr;
  const Priority priority = mux->priority;
  PendingCall* call = ForgetCall(mux);
  SendDisconnect(mux_id, Op::kDisconnectServerMux, absl::OkStatus(), priority);
  return call;
}

void Session::OnCallDeadline(ClientMux* mux) {
  // Even a request that still waits to be written will be: it can't be taken out of its batch.
  EndCall(mux, WithDelivery(absl::DeadlineExceededError("no answer before the deadline"),
                            Delivery::kMaybeExecuted));
}

void Session::OnResponse(const Message& message) {
  ClientMux* mux = calls_.Find(message.mux_id);
  if (mux == nullptr || mux->call == nullptr) return counters_.Count(Drop::kLateResponse);
  if ((message.flags & kFlagPayloadIsErr) != 0) {
    return EndCall(
        mux, RemoteError(AsText(message.payload), absl::StatusCode::kUnknown, Delivery::kExecuted));
  }
  host_.OnReply(ForgetCall(mux), message.payload);
}

void Session::OnMuxConnectError(const Message& message) {
  ClientMux* mux = calls_.Find(message.mux_id);
  if (mux == nullptr) return counters_.Count(Drop::kLateResponse);
  MuxConnectError error;
  if (!Decode(message.payload, &error).ok()) {
    counters_.Count(Drop::kBadControlPayload);
    error.error = "refused by the peer, which gave no reason that can be read";
  }
  // The only text of version 1 that is stable enough to be told apart (PROTOCOL.md, "Version 1
  // peers").
  const bool unknown = absl::StartsWith(error.error, "Invalid Handler");
  const absl::Status status = RemoteError(
      error.error, unknown ? absl::StatusCode::kUnimplemented : absl::StatusCode::kUnavailable,
      Delivery::kRejected);
  if (mux->stream != nullptr) return EndCallerStream(mux->stream.get(), status);
  EndCall(mux, status);
}

void Session::OnDisconnectClientMux(const Message& message) {
  ClientMux* mux = calls_.Find(message.mux_id);
  // It follows the end of every stream, whose mux is gone by then: nothing to count.
  if (mux == nullptr) return;
  const bool has_reason = (message.flags & kFlagPayloadIsErr) != 0;
  const absl::Status status =
      has_reason
          ? RemoteError(AsText(message.payload), absl::StatusCode::kUnknown, Delivery::kExecuted)
          : WithDelivery(absl::AbortedError("ended by the peer without an answer"),
                         Delivery::kMaybeExecuted, /*remote=*/true);
  if (mux->stream != nullptr) return EndCallerStream(mux->stream.get(), status);
  EndCall(mux, status);
}

// --- The handler's end ---

void Session::RefuseUnknownHandler(const Message& request) {
  counters_.Count(Drop::kUnknownHandler);
  // The beginning is what version 1 knows it by.
  std::string text = "Invalid Handler";
  if (request.handler != 0) {
    absl::StrAppend(&text, " for type: ", int{request.handler},
                    request.subroute != nullptr ? " on that subroute" : "");
  }
  SendMuxConnectError(request, absl::UnimplementedError(text));
}

void Session::SendMuxConnectError(const Message& request, const absl::Status& why,
                                  Priority priority) {
  scratch_.Resize(0);
  Encode(MuxConnectError{std::string(why.message())}, &scratch_);
  Message reply = CopyOf(request);
  reply.op = Op::kMuxConnectError;
  reply.payload = scratch_;
  PushWithStatus(reply, WithDelivery(why, Delivery::kRejected), priority);
}

absl::Status Session::NoRoomError() {
  return absl::ResourceExhaustedError(
      "no room to run the handler: max_worker_queue or max_buffered_bytes is reached");
}

bool Session::AdmitInbound(const Message& message) {
  if (!serving_.empty() && serving_.contains(message.mux_id)) {
    counters_.Count(Drop::kDuplicateMux);
    return false;
  }
  if (draining_) return RefuseDraining(message);
  if (serving_.size() >= config_.max_inflight) {
    counters_.Count(Drop::kInflightLimitIn);
    SendMuxConnectError(message, absl::ResourceExhaustedError(
                                     absl::StrCat("too many requests and streams in flight (limit ",
                                                  config_.max_inflight, ")")));
    return false;
  }
  return true;
}

void Session::OnRequest(const Message& message) {
  const HandlerEntry* entry =
      message.handler == 0 ? nullptr : handlers_.Find(message.handler, message.subroute);
  if (entry == nullptr || entry->is_stream()) return RefuseUnknownHandler(message);
  if (!AdmitInbound(message)) return;
  const auto timeout = message.deadline_ms == 0 ? config_.default_timeout
                                                : std::chrono::milliseconds(message.deadline_ms);
  InboundRequest request{.mux_id = message.mux_id,
                         .seq = message.seq,
                         .deadline = now_ + timeout,
                         .payload = message.payload,
                         .priority = AnswerPriority(*entry),
                         .compressed = CompressedIn(message)};
  if (has_fields_ && !TakeMeta(message, &request.meta)) return;
  RunningRequest* running = nullptr;
  switch (host_.OnRequest(*entry, request, &running)) {
    case SessionHost::Admit::kAnswered:
      return;
    case SessionHost::Admit::kRefused:
      counters_.Count(Drop::kHandlerRefused);
      return SendMuxConnectError(message, NoRoomError());
    case SessionHost::Admit::kPending:
      break;
  }
  ServerMux* mux = AddServer(message.mux_id);
  mux->seq = message.seq;
  mux->running = running;
  mux->deadline_timer.kind = kRequestDeadline;
  mux->deadline_timer.owner = mux;
  wheel_.Set(&mux->deadline_timer, request.deadline);
  CountServed();
}

void Session::Answer(const InboundRequest& request, RunningRequest* running, PayloadRef payload,
                     TimePoint now, const Compressed& compressed) {
  if (const size_t size = compressed.OriginalSize(payload.view()); size > payload_limit()) {
    counters_.Count(Drop::kMessageTooBig);
    return AnswerError(request, running, absl::OutOfRangeError(TooBig("a reply", size)), now);
  }
  now_ = now;
  if (!EndRunning(request, running)) return;
  Message message{
      .mux_id = request.mux_id, .seq = request.seq, .op = Op::kResponse, .flags = kFlagEof};
  if (payload.size() == 0 && !IsNil(payload.view())) message.flags |= kFlagPayloadIsZero;
  PushPayload(message, request.priority, payload, compressed);
}

void Session::AnswerError(const InboundRequest& request, RunningRequest* running,
                          const absl::Status& error, TimePoint now) {
  now_ = now;
  if (!EndRunning(request, running)) return;
  // The handler has run, whatever a call of its own may have met with.
  PushError({.mux_id = request.mux_id,
             .seq = request.seq,
             .op = Op::kResponse,
             .flags = kFlagEof | kFlagPayloadIsErr},
            WithDelivery(error, Delivery::kExecuted), request.priority);
}

// False when nobody waits for the answer any more.
bool Session::EndRunning(const InboundRequest& request, RunningRequest* running) {
  bool waits = !ended_ && request.deadline > now_;
  if (running != nullptr) {
    ServerMux* mux = FindServer(request.mux_id);
    // Its own entry stays until it answers, so this is only a safeguard against a host that answers
    // twice.
    if (mux == nullptr || mux->running != running) {
      waits = false;
    } else {
      if (mux->cancelled) waits = false;
      RemoveServer(mux);
    }
  }
  if (!waits) counters_.Count(Drop::kExpiredReply);
  return waits;
}

void Session::OnRequestDeadline(ServerMux* mux) {
  mux->cancelled = true;
  host_.OnRequestCancelled(mux->running, absl::DeadlineExceededError("the deadline has passed"));
}

void Session::OnDisconnectServerMux(const Message& message) {
  DropPartsOfHandler(message.mux_id);
  ServerMux* mux = FindServer(message.mux_id);
  if (mux == nullptr) return;  // it has been answered meanwhile
  const absl::Status why = absl::CancelledError("cancelled by the caller");
  if (mux->stream != nullptr) {
    if (!mux->stream->over) CountReset();
    return EndHandlerStream(mux->stream.get(), why);
  }
  if (mux->cancelled) return;
  CountReset();
  mux->cancelled = true;
  wheel_.Clear(&mux->deadline_timer);
  host_.OnRequestCancelled(mux->running, why);
}

Session::ServerMux* Session::AddServer(uint64_t id) {
  if (server_free_.empty()) {
    server_pool_.push_back(std::make_unique<ServerMux>());
    server_free_.push_back(server_pool_.back().get());
  }
  ServerMux* mux = server_free_.back();
  server_free_.pop_back();
  mux->id = id;
  mux->cancelled = false;
  mux->running = nullptr;
  serving_.emplace(id, mux);
  return mux;
}

Session::ServerMux* Session::FindServer(uint64_t id) {
  const auto it = serving_.find(id);
  return it == serving_.end() ? nullptr : it->second;
}

void Session::RemoveServer(ServerMux* mux) {
  GiveUpPayload(reassembly_.Find({mux->id, true}));
  if (draining_ && !ended_) counters_.drained.Add(1);
  wheel_.Clear(&mux->deadline_timer);
  if (mux->stream != nullptr) {
    wheel_.Clear(&mux->stream->deadline_timer);
    wheel_.Clear(&mux->stream->ping_timer);
    ReleaseWindow(*mux->stream);
    stream_free_.push_back(std::move(mux->stream));
    --serving_streams_;
  }
  serving_.erase(mux->id);
  mux->running = nullptr;
  server_free_.push_back(mux);
  CountServed();
}

void Session::CountServed() {
  counters_.incoming_streams.Set(serving_streams_);
  counters_.incoming_requests.Set(serving_.size() - serving_streams_);
}

}  // namespace grid
