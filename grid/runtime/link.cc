#include "grid/runtime/link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "grid/runtime/complete.h"
#include "grid/runtime/running_call.h"
#include "grid/runtime/stream_end.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// How often a write in progress is looked at; what a stalled one lasts longer than the limit.
constexpr std::chrono::milliseconds kStallCheck{500};

// Bytes of large payloads that one event writes before others have their turn: as much as is read
// at once.
constexpr size_t kBulkPerEvent = size_t{64} << 10;

// Completions of one event that may lead to others; then it is the turn of other events.
constexpr size_t kReadyPerEvent = 256;

CloseCode CodeFor(SessionEnd end) {
  switch (end) {
    case SessionEnd::kMalformedMessage:
    case SessionEnd::kBadChecksum:
    case SessionEnd::kNestedMerged:
    case SessionEnd::kBadMerged:
      return CloseCode::kProtocolError;
    case SessionEnd::kPingTimeout:
    case SessionEnd::kOutputOverflow:
    case SessionEnd::kTooManyResets:
      return CloseCode::kPolicyViolation;
    case SessionEnd::kPeerDisconnect:
    case SessionEnd::kCount:
      break;
  }
  return CloseCode::kNormal;
}

std::string_view CauseName(CloseCause cause) {
  switch (cause) {
    case CloseCause::kLocalClose:
      return "close-local";
    case CloseCause::kPeerClosed:
      return "close-peer-closed";
    case CloseCause::kTextFrame:
      return "close-text-frame";
    case CloseCause::kBadFrame:
      return "close-bad-frame";
    case CloseCause::kMessageTooBig:
      return "close-message-too-big";
    case CloseCause::kIoError:
      break;
  }
  return "close-io-error";
}

asio::awaitable<void> RunCoroutine(std::unique_ptr<RunningCall> call,
                                   const SingleCoroutine& coroutine) {
  absl::StatusOr<Buffer> result;
  try {
    // In steps: g++ 12 destroys a temporary of a co_await expression twice.
    Buffer payload = call->TakePayload();
    asio::awaitable<absl::StatusOr<Buffer>> running =
        coroutine(std::move(payload), call->context());
    result = co_await std::move(running);
  } catch (...) {
    result = StatusFrom(std::current_exception());
  }
  RunningCall::Answer(std::move(call), std::move(result));
}

void RunStarter(std::unique_ptr<RunningCall> call, const SingleStarter& starter) {
  Buffer payload = call->TakePayload();
  RequestContext& context = call->context();
  SingleReply reply(call.release());
  try {
    starter(std::move(payload), context, std::move(reply));
  } catch (...) {
    // Its reply, which answers for it, went with what has thrown.
  }
}

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// Brackets an event on the loop: whatever the session wants done is done once, at its end.
class Link::Event {
 public:
  explicit Event(Link& link) : link_(link), outer_(link.in_event_) {
    if (!outer_) link_.BeginEvent();
  }
  ~Event() {
    if (!outer_) link_.EndEvent();
  }

 private:
  Link& link_;
  const bool outer_;
};

Link::Link(const LinkConfig& config, const LinkServices& services, IoLoop& loop, Caller caller,
           std::unique_ptr<Transport> transport, std::shared_ptr<LinkOwner> owner,
           Activity activity)
    : config_(config),
      services_(services),
      loop_(loop),
      caller_(std::move(caller)),
      owner_(std::move(owner)),
      activity_(std::move(activity)),
      session_(config_.session, *services_.handlers, *services_.pool, counters_, *this,
               services_.clock->Now()),
      compressor_(services_.codec, config_.session.extensions, *services_.pool,
                  session_.payload_limit()),
      transport_(std::move(transport)) {}

Link::~Link() = default;

void Link::Start(Buffer first, bool writing) {
  timer_.emplace(loop_.io(), *services_.clock, [this] { OnSessionTimer(); });
  stall_timer_.emplace(loop_.io(), *services_.clock, [this] { OnStallTimer(); });
  self_ = shared_from_this();
  transport_->SetMaxMessageBytes(config_.session.max_message_bytes);
  transport_->SetHandler(this);
  Event event(*this);
  if (!first.is_nil()) {
    first_ = std::move(first);
    if (writing) {
      AwaitWritten();
    } else if (Write(first_.mutable_view())) {
      first_ = Buffer();
    }
  }
}

// --- Bytes ---

void Link::BeginEvent() {
  in_event_ = true;
  now_ = services_.clock->Now();
}

void Link::EndEvent() {
  RunReady();
  in_event_ = false;
  HandOver();
  Settle();
}

// Still inside the event: what the handlers start and write joins the same batch.
void Link::RunReady() {
  size_t ran = 0;
  for (; ran < ready_.size() && ran < kReadyPerEvent; ++ran) {
    // The list may grow meanwhile.
    ReadyCompletion completion = std::move(ready_[ran]);
    completion.Run(&loop_.io());
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(ran));
  if (!ready_.empty()) PostEvent();
}

// The event goes on until OnReadEnd, so that what all messages of one read lead to leaves together;
// unless this peer is the only one to be kept busy, which must not wait for us then.
void Link::OnMessage(BytesView message) {
  if (down_) return;
  if (!in_event_) alone_ = loop_.TakeTurn(this);
  BeginEvent();
  session_.OnMessage(message, now_);
  if (in_event_ && alone_ && session_.ShouldAnswer()) Flush();
}

void Link::OnReadEnd() {
  if (in_event_) EndEvent();
}

void Link::OnWritten() {
  writing_ = false;
  if (!first_.is_nil()) {
    first_ = Buffer();
  } else {
    session_.FinishWrite();
  }
  if (down_) return;
  Event event(*this);
}

void Link::OnClosed(CloseCause cause, std::string_view detail) {
  const bool drained = cause == CloseCause::kPeerClosed && session_.peer_draining();
  Down(DisconnectedError(drained ? "the peer has drained" : detail, Delivery::kMaybeExecuted),
       drained ? "close-peer-drained" : CauseName(cause));
  // Not from inside the transport's own callback.
  asio::post(loop_.io(), [self = std::move(self_)] {
    self->timer_.reset();
    self->stall_timer_.reset();
    self->transport_.reset();
    self->activity_.reset();
  });
}

void Link::Settle() {
  if (down_) return;
  if (session_end_.has_value()) {
    const std::string text =
        absl::StrCat(Absl(SessionEndName(*session_end_)), ": ", session_end_detail_);
    return Close(DisconnectedError(text, Delivery::kMaybeExecuted), CodeFor(*session_end_),
                 absl::StrCat("close-", Absl(SessionEndName(*session_end_))));
  }
  session_.GoOn();
  Flush();
  ArmTimer();
  if (!drained_ && session_.Drained()) {
    drained_ = true;
    owner_->OnLinkDrained(*this);
  }
}

void Link::Flush() {
  for (size_t bulk = 0; !writing_ && !down_ && session_.CanStartWrite();) {
    const bool is_bulk = session_.OnlyBulkWaits();
    if (is_bulk && bulk >= kBulkPerEvent) return PostEvent();
    const MutableBytes message = session_.StartWrite();
    if (is_bulk) bulk += message.size();
    if (Write(message)) session_.FinishWrite();
  }
}

// True: written already.
bool Link::Write(MutableBytes message) {
  if (transport_->Write(message)) return true;
  AwaitWritten();
  return false;
}

void Link::AwaitWritten() {
  writing_ = true;
  stall_since_ = TimePoint();  // progress: a new write
  if (!stall_armed_) {
    stall_armed_ = true;
    stall_timer_->Set(Now() + kStallCheck);
  }
}

void Link::Changed() {
  if (in_event_) {
    if (alone_ && session_.ShouldWrite()) Flush();
    return;
  }
  if (!down_) PostEvent();
}

void Link::PostEvent() {
  if (event_posted_) return;
  event_posted_ = true;
  asio::post(loop_.io(), [self = shared_from_this()] {
    self->event_posted_ = false;
    self->BeginEvent();
    self->EndEvent();
  });
}

void Link::Later(ReadyCompletion completion) {
  ready_.push_back(std::move(completion));
  if (!in_event_) PostEvent();
}

void Link::Drain(TimePoint deadline) {
  if (down_) return;
  Event event(*this);
  session_.Drain(deadline, Now());
}

void Link::OnPeerDraining() { owner_->OnPeerDraining(*this); }

void Link::OnSessionEnd(SessionEnd why, std::string_view detail) {
  session_end_ = why;
  session_end_detail_ = std::string(detail);
  // From inside the session: nothing of it may be called. The end of the event acts on it.
  if (!in_event_ && !down_) PostEvent();
}

// --- Time ---

void Link::ArmTimer() {
  const TimePoint next = session_.NextTimer();
  if (next >= timer_at_) return;
  timer_at_ = next;
  timer_->Set(next);
}

void Link::OnSessionTimer() {
  timer_at_ = TimePoint::max();
  if (down_) return;
  Event event(*this);
  session_.OnTimer(Now());
}

void Link::OnStallTimer() {
  stall_armed_ = false;
  if (down_ || !writing_) return;
  const TimePoint now = Now();
  const uint64_t progress = transport_->write_progress();
  if (stall_since_ == TimePoint() || progress != stall_progress_) {
    stall_progress_ = progress;
    stall_since_ = now;
  } else if (now - stall_since_ >= config_.write_stall - kStallCheck) {
    return Close(DisconnectedError("a write made no progress", Delivery::kMaybeExecuted),
                 CloseCode::kPolicyViolation, "close-write-stall");
  }
  stall_armed_ = true;
  stall_timer_->Set(now + kStallCheck);
}

// --- Other threads ---

bool Link::Post(std::unique_ptr<LinkTask>& task) {
  switch (tasks_.Push(task)) {
    case TaskQueue::Pushed::kSealed:
      return false;
    case TaskQueue::Pushed::kFirst:
      // The link, and with it the manager, may have ended since: then Seal has run the task, and
      // the io_context may be stopped or gone.
      services_.loops->PostTo(loop_.index(), [this](asio::io_context* io) {
        if (io != nullptr) asio::post(*io, [self = shared_from_this()] { self->RunTasks(); });
      });
      return true;
    case TaskQueue::Pushed::kQueued:
      break;
  }
  return true;
}

void Link::RunTasks() {
  if (down_) return;
  Event event(*this);
  tasks_.Drain([this](std::unique_ptr<LinkTask> task) { task->Run(*this); });
}

bool Link::RunOnWorker(std::unique_ptr<WorkerTask> task) {
  if (!services_.workers->Reserve()) return false;
  for_workers_.Push(std::move(task));
  return true;
}

void Link::HandOver() {
  if (!for_workers_.empty()) services_.workers->Submit(std::move(for_workers_));
}

// --- The end ---

void Link::Down(const absl::Status& status, std::string_view cause) {
  if (down_) return;
  // The state first, so that whatever the completions start finds a link that is down.
  down_ = true;
  timer_->Clear();
  stall_timer_->Clear();
  // The transport tells no end of an event any more.
  in_event_ = false;
  if (!ready_.empty()) PostEvent();
  owner_->OnLinkDown(*this, status, cause);
  session_.Shutdown(status);
  HandOver();  // the event may have no other end
  tasks_.Seal([this](std::unique_ptr<LinkTask> task) { task->Run(*this); });
}

void Link::Close(const absl::Status& status, CloseCode code, std::string_view cause) {
  if (down_) return;
  Down(status, cause);
  const std::string reason(status.message().substr(0, 120));  // a close frame holds 123 bytes
  transport_->Close(code, reason);
}

// --- Calls ---

void Link::StartCall(CallArgs&& args, const Compression& compression, ReplyHandler handler,
                     const std::shared_ptr<CallCancellation>& cancellation) {
  if (cancellation != nullptr && cancellation->IsCancelled()) {
    return FailLater(home(), std::move(handler),
                     WithDelivery(absl::CancelledError("cancelled"), Delivery::kNotSent));
  }
  OutgoingPayload packed;
  // A thread of the caller's may have done it already.
  if (compression.enabled && !args.compressed.tried()) {
    packed = compressor_.Compress(compression, args.payload.view());
    args.payload = packed.Wire(args.payload);
    args.compressed = packed.compressed;
  }
  PendingCall* const call = handler.Release();
  const absl::StatusOr<uint64_t> started = session_.StartCall(args, call, Now());
  if (!started.ok()) return FailLater(home(), ReplyHandler::Of(call), started.status());
  if (cancellation != nullptr) cancellation->mux_id = *started;
  Changed();
}

void Link::CancelCall(CallCancellation& cancellation) {
  if (cancellation.mux_id == 0) return;
  PendingCall* const call = session_.CancelCall(cancellation.mux_id);
  if (call == nullptr) return;
  Changed();
  FailLater(home(), ReplyHandler::Of(call),
            WithDelivery(absl::CancelledError("cancelled"), Delivery::kMaybeExecuted));
}

void Link::OnReply(PendingCall* call, BytesView payload) {
  Buffer whole = session_.TakePayload();
  ReplyHandler::Of(call).Reply(loop_.io(), pool(),
                               whole.is_nil() ? PayloadRef(payload) : PayloadRef(std::move(whole)));
}

void Link::OnCallFailed(PendingCall* call, const absl::Status& status) {
  ReplyHandler::Of(call).Fail(&loop_.io(), status);
}

// --- Handlers ---

SessionHost::Admit Link::OnRequest(const HandlerEntry& entry, const InboundRequest& request,
                                   RunningRequest** running) {
  const auto* function = std::get_if<SingleFunction>(&entry.function);
  if (function != nullptr && entry.run_on == RunOn::kIoThread) {
    RequestContext context(caller_, entry.id, entry.subroute, request.deadline,
                           services_.pool.get());
    if (!request.meta.empty()) context.set_meta(request.meta.trace, request.meta.metadata);
    absl::StatusOr<Buffer> result = RunGuarded(
        [&]() -> absl::StatusOr<Buffer> { return (*function)(request.payload, context); });
    context.FinishReturned();
    if (result.ok()) {
      OutgoingPayload answer;
      if (entry.compression.enabled) answer = compressor_.Compress(entry.compression, *result);
      session_.Answer(request, nullptr, answer.Wire(*std::move(result)), Now(), answer.compressed);
    } else {
      session_.AnswerError(request, nullptr, result.status(), Now());
    }
    Changed();
    return Admit::kAnswered;
  }

  Buffer payload = session_.TakePayload();
  if (payload.is_nil() && !services_.pool->TryCopy(request.payload, &payload)) {
    return Admit::kRefused;
  }
  Buffer metadata;
  if (!services_.pool->TryCopy(request.meta.metadata.bytes(), &metadata)) return Admit::kRefused;
  auto call = std::make_unique<RunningCall>(shared_from_this(), entry, request, std::move(payload),
                                            std::move(metadata));
  if (function != nullptr) {
    *running = call.get();
    return RunOnWorker(std::move(call)) ? Admit::kPending : Admit::kRefused;
  }

  RunningCall* const raw = call.get();
  std::unique_ptr<RunningCall> early;
  raw->set_starting(&early);
  if (const auto* starter = std::get_if<SingleStarter>(&entry.function)) {
    RunStarter(std::move(call), *starter);
  } else {
    const auto& coroutine = std::get<SingleCoroutine>(entry.function);
    asio::co_spawn(loop_.io(), RunCoroutine(std::move(call), coroutine), asio::detached);
  }
  if (early != nullptr) {
    early->Give(*this, nullptr);
    return Admit::kAnswered;
  }
  raw->set_starting(nullptr);
  *running = raw;
  return Admit::kPending;
}

void Link::OnRequestCancelled(RunningRequest* running, const absl::Status& why) {
  static_cast<RunningCall*>(running)->Cancel(why);
}

void Link::OnRequestDraining(RunningRequest* running) {
  static_cast<RunningCall*>(running)->Drain();
}

StreamSink* Link::OnStream(const HandlerEntry& entry, const InboundStream& stream) {
  return StreamEnd::Serve(shared_from_this(), entry, stream);
}

}  // namespace grid
