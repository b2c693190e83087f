#include "grid/runtime/stream_end.h"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "grid/runtime/complete.h"
#include "grid/runtime/running_call.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// A stream message is never nil: version 1 can't carry that (PROTOCOL.md, "Version 1 peers").
PayloadRef NotNil(PayloadRef payload) {
  return IsNil(payload.view()) ? PayloadRef(EmptyBytes()) : payload;
}

ReadResult MessageOf(PieceResult piece) {
  if (!piece.ok()) return piece.status();
  if (!piece->has_value()) return ReadResult(std::nullopt);
  return ReadResult(std::optional<Buffer>(std::move((*piece)->bytes)));
}

absl::Status ReadInPiecesError() {
  return absl::FailedPreconditionError("the stream is read with ReadPiece");
}

absl::Status OnLoopError() {
  return absl::FailedPreconditionError("a blocking call on an I/O thread would dead-lock it");
}

}  // namespace

class StreamEnd::Task final : public LinkTask {
 public:
  Task(std::shared_ptr<StreamEnd> end, Action action)
      : end_(std::move(end)), action_(std::move(action)) {}
  void Run(Link& link) override { action_(*end_, &link.session(), end_->mux_); }
  Action TakeAction() { return std::move(action_); }

 private:
  const std::shared_ptr<StreamEnd> end_;
  Action action_;
};

// The handler, on a worker.
class StreamEnd::HandlerTask final : public WorkerTask {
 public:
  HandlerTask(std::shared_ptr<StreamEnd> end, const StreamFunction& function, const Link& link)
      : end_(std::move(end)),
        function_(function),
        clock_(link.services().clock),
        received_(link.Now()) {}

  void RunOnWorker(std::unique_ptr<WorkerTask>) override {
    end_->context_->set_queue_time(clock_->Now() - received_);
    Stream stream(end_);
    end_->Finish(RunGuarded([&]() -> absl::Status { return function_(stream, *end_->context_); }));
  }

 private:
  const std::shared_ptr<StreamEnd> end_;
  const StreamFunction& function_;
  const std::shared_ptr<Clock> clock_;
  const TimePoint received_;
};

StreamEnd::StreamEnd(std::shared_ptr<BufferPool> pool, LoopRef home, const Compression& compression,
                     bool read_pieces)
    : pool_(std::move(pool)),
      home_(std::move(home)),
      compression_(compression),
      read_pieces_(read_pieces) {}

StreamEnd::~StreamEnd() = default;

Link* StreamEnd::LinkHere() const {
  return link_ != nullptr && link_->loop().RunningHere() ? link_.get() : nullptr;
}

// Completes an operation that is just being started, or whose end is no event of its own.
template <typename Result>
void StreamEnd::Later(Link* here, Completion<Result> handler, Result result) {
  if (here != nullptr) {
    here->Later(handler.With(std::move(result)));
  } else {
    CompleteLater(home_, std::move(handler), std::move(result));
  }
}

void StreamEnd::Run(Action action) {
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    if (link_ == nullptr && !released_) {
      before_open_.push_back(std::move(action));
      return;
    }
    link = link_;
  }
  if (link == nullptr) return action(*this, nullptr, nullptr);
  if (link->loop().RunningHere()) {
    action(*this, &link->session(), mux_);
    return link->Changed();
  }
  auto task = std::make_unique<Task>(shared_from_this(), std::move(action));
  Task* const raw = task.get();
  std::unique_ptr<LinkTask> posted = std::move(task);
  if (!link->Post(posted)) raw->TakeAction()(*this, nullptr, nullptr);
}

// --- Opening ---

void StreamEnd::Open(const std::shared_ptr<Link>& link, const OutgoingStream& out) {
  {
    std::lock_guard lock(mutex_);
    if (end_.has_value()) return;  // cancelled while it waited
    link_ = link;
    self_ = shared_from_this();
  }
  OutgoingPayload initial;
  if (!out.compressed.tried()) initial = link->compressor().Compress(compression_, out.initial);
  const absl::StatusOr<StreamMux*> mux = link->session().OpenStream(
      {.handler = out.handler.value(),
       .subroute = out.subroute.has_value() ? &*out.subroute : nullptr,
       .initial = initial.Wire(out.initial).view(),
       .deadline = out.deadline,
       .has_input = out.has_input,
       .in_capacity = out.in_capacity,
       .out_capacity = out.out_capacity,
       .window = out.window,
       .read_pieces = out.read_pieces,
       .priority = out.priority,
       .compressed = out.compressed.tried() ? out.compressed : initial.compressed,
       .meta = {out.trace, MetadataView::Of(out.metadata)}},
      this, link->Now());
  if (!mux.ok()) {
    const std::shared_ptr<StreamEnd> keep = shared_from_this();
    return Fail(mux.status());
  }
  mux_ = *mux;
  std::vector<Action> waiting;
  {
    std::lock_guard lock(mutex_);
    if (!out.has_input) send_closed_ = true;
    waiting.swap(before_open_);
  }
  for (Action& action : waiting) action(*this, &link->session(), mux_);
  link->Changed();
}

void StreamEnd::Fail(const absl::Status& status) {
  End(status);
  Release();
  // After Release nothing is added to them.
  std::vector<Action> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(before_open_);
  }
  for (Action& action : waiting) action(*this, nullptr, nullptr);
}

StreamSink* StreamEnd::Serve(std::shared_ptr<Link> link, const HandlerEntry& entry,
                             const InboundStream& stream) {
  auto end = std::make_shared<StreamEnd>(link->services().pool, link->home(), entry.compression,
                                         entry.read_pieces);
  end->is_handler_ = true;
  if (!link->pool().TryCopy(stream.initial, &end->initial_) ||
      !link->pool().TryCopy(stream.meta.metadata.bytes(), &end->metadata_)) {
    return nullptr;
  }
  end->context_.emplace(link->caller(), entry.id, entry.subroute, stream.deadline, &link->pool());
  end->context_->set_meta(stream.meta.trace, MetadataView::Of(end->metadata_));
  end->mux_ = stream.mux;
  {
    std::lock_guard lock(end->mutex_);
    end->link_ = link;
    end->self_ = end;
    end->activity_ = link->activity();
    end->input_over_ = stream.input_closed;
  }
  if (!end->StartHandler(entry, *link)) {
    end->Release();
    return nullptr;
  }
  return end.get();
}

bool StreamEnd::StartHandler(const HandlerEntry& entry, Link& link) {
  const std::shared_ptr<StreamEnd> self = shared_from_this();
  if (const auto* function = std::get_if<StreamFunction>(&entry.function)) {
    return link.RunOnWorker(std::make_unique<HandlerTask>(self, *function, link));
  }
  if (const auto* coroutine = std::get_if<StreamCoroutine>(&entry.function)) {
    asio::co_spawn(link.loop().io(), RunCoroutine(*coroutine), asio::detached);
    return true;
  }
  const auto& starter = std::get<StreamStarter>(entry.function);
  const absl::Status started = RunGuarded([&]() -> absl::Status {
    starter(Stream(self), *self->context_);
    return absl::OkStatus();
  });
  if (!started.ok()) Finish(started);
  return true;
}

asio::awaitable<void> StreamEnd::RunCoroutine(const StreamCoroutine& coroutine) {
  const std::shared_ptr<StreamEnd> self = shared_from_this();
  Stream stream(self);
  absl::Status status;
  try {
    asio::awaitable<absl::Status> running = coroutine(stream, *context_);
    status = co_await std::move(running);
  } catch (...) {
    status = StatusFrom(std::current_exception());
  }
  Finish(std::move(status));
}

// --- Reading ---

std::optional<PieceResult> StreamEnd::TakeReady() {
  if (!inbox_.empty()) {
    PieceResult piece(std::optional<Piece>(std::move(inbox_.front())));
    inbox_.pop_front();
    ++unsettled_;
    if ((*piece)->last) ++unsettled_messages_;
    unsettled_bytes_ += (*piece)->bytes.size();
    return piece;
  }
  if (end_.has_value() && !end_->ok()) return PieceResult(*end_);
  if (end_.has_value() || input_over_) return PieceResult(std::nullopt);
  return std::nullopt;
}

void StreamEnd::GiveCredits(uint32_t unsettled) {
  // Whoever made it one tells the session; until that happens, others only add to it.
  if (unsettled != 1) return;
  Run([](StreamEnd& self, Session* session, StreamMux* mux) {
    uint32_t messages;
    size_t bytes;
    TimePoint now;
    {
      std::lock_guard lock(self.mutex_);
      self.unsettled_ = 0;
      messages = std::exchange(self.unsettled_messages_, 0);
      bytes = std::exchange(self.unsettled_bytes_, 0);
      // Without a mux this may be any thread, and the link has gone down.
      if (mux != nullptr && self.link_ != nullptr) now = self.link_->Now();
    }
    if (mux != nullptr) session->Consumed(mux, messages, bytes, now);
  });
}

void StreamEnd::StartRead(ReadHandler handler) {
  if (!read_pieces_) return StartRead(Reader{.message = std::move(handler)});
  Link* here;
  {
    std::lock_guard lock(mutex_);
    here = LinkHere();
  }
  Later(here, std::move(handler), ReadResult(ReadInPiecesError()));
}

void StreamEnd::StartReadPiece(PieceHandler handler) {
  StartRead(Reader{.piece = std::move(handler)});
}

void StreamEnd::StartRead(Reader reader) {
  std::optional<PieceResult> ready;
  uint32_t unsettled = 0;
  Link* here;
  {
    std::lock_guard lock(mutex_);
    here = LinkHere();
    if (reader_) {
      ready = PieceResult(absl::FailedPreconditionError("one Read at a time"));
    } else {
      const uint32_t before = unsettled_;
      ready = TakeReady();
      if (unsettled_ != before) unsettled = unsettled_;
    }
    if (!ready.has_value()) {
      const uint64_t number = ++read_number_;
      auto slot =
          reader.message ? reader.message.cancellation_slot() : reader.piece.cancellation_slot();
      if (slot.is_connected()) {
        slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
          if (auto self = weak.lock()) self->CancelRead(number);
        });
      }
      reader_ = std::move(reader);
      return;
    }
  }
  GiveCredits(unsettled);
  Later(here, std::move(reader), *std::move(ready));
}

void StreamEnd::Later(Link* here, Reader reader, PieceResult result) {
  if (reader.piece) return Later(here, std::move(reader.piece), std::move(result));
  Later(here, std::move(reader.message), MessageOf(std::move(result)));
}

void StreamEnd::CancelRead(uint64_t number) {
  Reader reader;
  {
    std::lock_guard lock(mutex_);
    if (!reader_ || read_number_ != number) return;
    reader = std::exchange(reader_, Reader());
  }
  Later(nullptr, std::move(reader), PieceResult(absl::CancelledError("Read was cancelled")));
}

ReadResult StreamEnd::ReadBlocking() {
  if (read_pieces_) return ReadInPiecesError();
  return MessageOf(ReadPieceBlocking());
}

PieceResult StreamEnd::ReadPieceBlocking() {
  if (home_.loops->RunningHere()) return OnLoopError();
  std::optional<PieceResult> ready;
  uint32_t unsettled = 0;
  {
    std::unique_lock lock(mutex_);
    if (reader_) return absl::FailedPreconditionError("one Read at a time");
    for (;;) {
      const uint32_t before = unsettled_;
      ready = TakeReady();
      if (unsettled_ != before) unsettled = unsettled_;
      if (ready.has_value()) break;
      changed_.wait(lock);
    }
  }
  GiveCredits(unsettled);
  return *std::move(ready);
}

void StreamEnd::Arrive(BytesView payload, bool last) {
  Reader reader;
  Link* link;
  bool fits;
  Buffer message;
  {
    std::lock_guard lock(mutex_);
    link = link_.get();
    message = link->session().TakePayload();
    // Small pieces share a block: the window counts their bytes only.
    if (message.is_nil() && !reader_ && !inbox_.empty() && !inbox_.back().last &&
        payload.size() <= inbox_.back().bytes.capacity() - inbox_.back().bytes.size()) {
      inbox_.back().bytes.Append(payload);
      inbox_.back().last = last;
      return changed_.notify_one();
    }
    fits = !message.is_nil() || pool_->TryCopy(payload, &message);
    if (fits && !reader_) {
      inbox_.push_back({std::move(message), last});
      return changed_.notify_one();
    }
    if (fits) reader = std::exchange(reader_, Reader());
  }
  if (!fits) {
    link->CountBufferedLimit();
    return link->session().Abort(
        mux_, WithDelivery(absl::ResourceExhaustedError(
                               "max_buffered_bytes are held by messages that are not read"),
                           Delivery::kMaybeExecuted));
  }
  link->session().Consumed(mux_, last ? 1 : 0, payload.size(), link->Now());
  reader.Complete(&link->loop().io(), std::optional<Piece>({std::move(message), last}));
}

void StreamEnd::Reader::Complete(asio::io_context* io, PieceResult result) {
  if (piece) return piece.Complete(io, std::move(result));
  message.Complete(io, MessageOf(std::move(result)));
}

void StreamEnd::OnEof() {
  Reader reader;
  {
    std::lock_guard lock(mutex_);
    input_over_ = true;
    changed_.notify_all();
    if (!reader_) return;
    reader = std::exchange(reader_, Reader());
  }
  reader.Complete(&home_.loop().io(), PieceResult(std::nullopt));
}

// --- Writing ---

absl::Status StreamEnd::WriteError() const {
  if (end_.has_value()) {
    return end_->ok() ? absl::FailedPreconditionError("the peer has ended the stream") : *end_;
  }
  if (send_closed_) {
    return absl::FailedPreconditionError("the stream takes no more input from this end");
  }
  if (write_pending_) return absl::FailedPreconditionError("one Write at a time");
  return absl::OkStatus();
}

void StreamEnd::StartWrite(PayloadRef payload, WriteHandler handler) {
  StartWrite(payload, Outgoing(), std::move(handler));
}

void StreamEnd::StartWritePiece(PayloadRef piece, bool last, WriteHandler handler) {
  StartWrite(piece, {.in_pieces = true, .last = last}, std::move(handler));
}

void StreamEnd::StartWrite(PayloadRef payload, Outgoing out, WriteHandler handler) {
  absl::Status error;
  uint64_t number = 0;
  Link* here;
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    here = LinkHere();
    if (compression_.enabled) link = link_;
    error = WriteError();
    if (error.ok()) {
      write_pending_ = true;
      number = ++write_number_;
    }
  }
  if (!error.ok()) return Later(here, std::move(handler), std::move(error));
  // Here, on the caller's thread: the slot is not ours to touch on any other.
  auto slot = handler.cancellation_slot();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
      if (auto self = weak.lock()) self->CancelWrite(number);
    });
  }
  payload = NotNil(payload);
  OutgoingPayload packed;
  if (link != nullptr && !out.in_pieces) {
    packed = link->compressor().Compress(compression_, payload.view());
    out.compressed = packed.compressed;
    payload = packed.Wire(payload);
  }
  if (here != nullptr) {
    // Straight into what is being sent; copied first only if it has to wait.
    if (std::optional<absl::Status> status = Send(&here->session(), mux_, payload, &out)) {
      FinishWrite(std::move(handler), *std::move(status));
    } else {
      BlockWrite(payload.Take(*pool_), out, std::move(handler));
    }
    return here->Changed();
  }
  Run([copy = payload.Take(*pool_), out, handler = std::move(handler)](
          StreamEnd& self, Session* session, StreamMux* mux) mutable {
    if (session != nullptr) self.CompressHere(&copy, &out);
    const PayloadRef wire(std::move(copy));
    if (std::optional<absl::Status> status = self.Send(session, mux, wire, &out)) {
      self.FinishWrite(std::move(handler), *std::move(status));
    } else {
      self.BlockWrite(wire.Take(*self.pool_), out, std::move(handler));
    }
  });
}

// What was written before there was a link to compress it for.
void StreamEnd::CompressHere(Buffer* payload, Outgoing* out) {
  if (!compression_.enabled || out->in_pieces || out->compressed.tried()) return;
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    link = link_;
  }
  if (link == nullptr) return;
  OutgoingPayload packed = link->compressor().Compress(compression_, *payload);
  out->compressed = packed.compressed;
  if (packed.compressed.original_bytes != 0) *payload = std::move(packed.frame);
}

// What became of the message; nothing yet while there is no credit for it.
// The payload is taken only if it was sent.
std::optional<absl::Status> StreamEnd::Send(Session* session, StreamMux* mux, PayloadRef payload,
                                            Outgoing* out) {
  auto result = Session::SendResult::kClosed;
  if (mux != nullptr && !out->in_pieces) {
    result = session->Send(mux, payload, out->compressed);
    // A whole message for a peer that reads in pieces.
    out->in_pieces = result == Session::SendResult::kInPieces && !mux->sending.open;
  }
  if (mux != nullptr && out->in_pieces) {
    result = session->SendPiece(mux, payload.view(), out->last, &out->sent);
  }
  switch (result) {
    case Session::SendResult::kSent:
      return absl::OkStatus();
    case Session::SendResult::kNoCredit:
      return std::nullopt;
    case Session::SendResult::kTooBig:
      return WithDelivery(absl::InvalidArgumentError(absl::StrCat(
                              "a message of ", out->compressed.OriginalSize(payload.view()),
                              " bytes exceeds ", std::string(session->payload_limit_name()))),
                          Delivery::kNotSent);
    case Session::SendResult::kOutputFull:
      return WithDelivery(
          absl::ResourceExhaustedError("max_output_bytes wait to be written on the connection"),
          Delivery::kRejected);
    case Session::SendResult::kInPieces:
      return absl::FailedPreconditionError(
          "a message has been begun with WritePiece, and not ended");
    case Session::SendResult::kNoPieces:
      return absl::FailedPreconditionError(
          "the peer does not read this stream in pieces: that takes the extensions fragments and "
          "credits, and its read_pieces");
    case Session::SendResult::kClosed:
      break;
  }
  std::lock_guard lock(mutex_);
  write_pending_ = false;
  absl::Status error = WriteError();
  return error.ok() ? DisconnectedError("the stream has ended", Delivery::kMaybeExecuted) : error;
}

void StreamEnd::BlockWrite(Buffer payload, Outgoing out, WriteHandler handler) {
  blocked_write_ = std::move(payload);
  blocked_out_ = out;
  blocked_handler_ = std::move(handler);
}

// Loop thread, or no link.
void StreamEnd::FinishWrite(WriteHandler handler, absl::Status status) {
  Link* here;
  {
    std::lock_guard lock(mutex_);
    write_pending_ = false;
    here = LinkHere();
  }
  Later(here, std::move(handler), std::move(status));
}

// It comes behind its write: that has been sent by then, or waits for credit.
void StreamEnd::CancelWrite(uint64_t number) {
  Run([number](StreamEnd& self, Session* session, StreamMux* mux) {
    // Without a mux the end of the stream completes it.
    if (mux == nullptr || !self.blocked_write_.has_value()) return;
    // The peer has a part of it: without the rest it would take the message for another.
    if (self.blocked_out_.sent > 0) return;
    {
      std::lock_guard lock(self.mutex_);
      if (self.write_number_ != number) return;
    }
    self.blocked_write_.reset();
    self.FinishWrite(std::move(self.blocked_handler_), absl::CancelledError("Write was cancelled"));
    self.AfterWrite(session, mux);
  });
}

// The stream has ended, which `end_` says already.
void StreamEnd::FailBlockedWrite() {
  if (!blocked_write_.has_value()) return;
  blocked_write_.reset();
  absl::Status error;
  {
    std::lock_guard lock(mutex_);
    write_pending_ = false;
    error = WriteError();
  }
  FinishWrite(std::move(blocked_handler_), std::move(error));
}

void StreamEnd::OnSendable() {
  if (!blocked_write_.has_value()) return;
  Session* session;
  {
    std::lock_guard lock(mutex_);
    session = &link_->session();
  }
  std::optional<absl::Status> status =
      Send(session, mux_, *std::move(blocked_write_), &blocked_out_);
  if (!status.has_value()) return;
  blocked_write_.reset();
  FinishWrite(std::move(blocked_handler_), *std::move(status));
  AfterWrite(session, mux_);
}

void StreamEnd::AfterWrite(Session* session, StreamMux* mux) {
  if (mux == nullptr) return;
  if (std::exchange(close_after_write_, false)) session->CloseSend(mux);
  if (!finish_after_write_.has_value()) return;
  FinishNow(session, mux, *finish_after_write_);
}

void StreamEnd::FinishNow(Session* session, StreamMux* mux, const absl::Status& status) {
  if (mux != nullptr) {
    mux_ = nullptr;
    session->Finish(mux, status);
  }
  End(absl::FailedPreconditionError("the handler has ended the stream"));
  Release();
}

absl::Status StreamEnd::WriteBlocking(PayloadRef payload) {
  return WriteBlocking(payload, Outgoing());
}

absl::Status StreamEnd::WritePieceBlocking(PayloadRef piece, bool last) {
  return WriteBlocking(piece, {.in_pieces = true, .last = last});
}

absl::Status StreamEnd::WriteBlocking(PayloadRef payload, Outgoing out) {
  if (home_.loops->RunningHere()) return OnLoopError();
  auto written = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> status = written->get_future();
  // On the system's executor: the I/O thread need not be free to wake us.
  StartWrite(
      payload, out,
      WriteHandler(asio::bind_executor(asio::system_executor(), [written](absl::Status result) {
        written->set_value(std::move(result));
      })));
  return status.get();
}

// --- Ending ---

void StreamEnd::CloseSend() {
  {
    std::lock_guard lock(mutex_);
    if (is_handler_ || send_closed_) return;
    send_closed_ = true;
  }
  Run([](StreamEnd& self, Session* session, StreamMux* mux) {
    if (mux == nullptr) return;
    if (self.blocked_write_.has_value()) {
      self.close_after_write_ = true;
    } else {
      session->CloseSend(mux);
    }
  });
}

void StreamEnd::Cancel() {
  if (is_handler_) return Finish(absl::CancelledError("the handler gave the stream up"));
  const absl::Status unsent =
      WithDelivery(absl::CancelledError("the stream was cancelled"), Delivery::kNotSent);
  bool unopened;
  {
    std::lock_guard lock(mutex_);
    if (end_.has_value()) return;
    unopened = link_ == nullptr;
    // With the same lock: from here on Open, which may be under way on its own thread, gives up.
    if (unopened) end_ = unsent;
  }
  if (unopened) return Fail(unsent);
  Run([](StreamEnd& self, Session* session, StreamMux* mux) {
    if (mux == nullptr) return;
    self.mux_ = nullptr;
    session->CancelStream(mux);
    self.End(
        WithDelivery(absl::CancelledError("the stream was cancelled"), Delivery::kMaybeExecuted));
    self.FailBlockedWrite();
    self.Release();
  });
}

void StreamEnd::Finish(absl::Status status) {
  if (!is_handler_) return Cancel();
  {
    std::lock_guard lock(mutex_);
    if (send_closed_) return;
    send_closed_ = true;
  }
  context_->Finish();
  Run([status = std::move(status)](StreamEnd& self, Session* session, StreamMux* mux) {
    if (mux != nullptr && self.blocked_write_.has_value()) {
      self.finish_after_write_ = status;
      return;
    }
    self.FinishNow(session, mux, status);
  });
}

void StreamEnd::Abandon() {
  if (is_handler_) {
    Finish(absl::InternalError("the handler dropped the stream without ending it"));
  } else {
    Cancel();
  }
}

void StreamEnd::OnEnd(const absl::Status& status) {
  const std::shared_ptr<StreamEnd> keep = shared_from_this();
  // Handler's end: the mux stays until Finish.
  StreamMux* const mux = mux_;
  if (!is_handler_) mux_ = nullptr;
  End(status);
  FailBlockedWrite();
  if (!is_handler_) return Release();
  context_->Cancel(status);
  if (!finish_after_write_.has_value()) return;
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    link = link_;
  }
  if (link != nullptr) AfterWrite(&link->session(), mux);
}

void StreamEnd::OnDrain(absl::AnyInvocable<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (released_) return;
    if (!draining()) return on_drain_.push_back(std::move(callback));
  }
  callback();
}

void StreamEnd::OnDraining() {
  // A callback may end the stream.
  const std::shared_ptr<StreamEnd> keep = shared_from_this();
  std::vector<absl::AnyInvocable<void()>> callbacks;
  {
    std::lock_guard lock(mutex_);
    draining_.store(true, std::memory_order_release);
    callbacks.swap(on_drain_);
  }
  for (auto& callback : callbacks) callback();
  if (is_handler_) context_->Drain();
}

void StreamEnd::End(const absl::Status& status) {
  Reader reader;
  std::optional<PieceResult> result;
  {
    std::lock_guard lock(mutex_);
    if (!end_.has_value()) end_ = status;
    changed_.notify_all();
    if (!reader_) return;
    reader = std::exchange(reader_, Reader());
    result = TakeReady();
  }
  Later(nullptr, std::move(reader), *std::move(result));
}

void StreamEnd::Release() {
  std::shared_ptr<StreamEnd> self;
  std::shared_ptr<Link> link;
  Activity activity;
  std::vector<absl::AnyInvocable<void()>> dropped;
  {
    std::lock_guard lock(mutex_);
    released_ = true;
    dropped.swap(on_drain_);
    self.swap(self_);
    link.swap(link_);
    activity.swap(activity_);
  }
}

}  // namespace grid
