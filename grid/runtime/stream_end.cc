#include "grid/runtime/stream_end.h"

#include <utility>

#include "grid/runtime/complete.h"
#include "grid/runtime/start_stream_handler.h"
#include "handlers/delivery.h"

namespace grid {

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

StreamEnd::StreamEnd(std::shared_ptr<BufferPool> pool, LoopRef home, const Compression& compression,
                     bool read_pieces)
    : pool_(std::move(pool)),
      home_(std::move(home)),
      compression_(compression),
      read_pieces_(read_pieces) {}

StreamEnd::~StreamEnd() = default;

std::shared_ptr<Link> StreamEnd::CurrentLink() {
  std::lock_guard lock(mutex_);
  return link_;
}

// Completes an operation that is just being started, or whose end is no event of its own.
void StreamEnd::Later(Link* here, ReadyCompletion completion) {
  if (here != nullptr) {
    here->Later(std::move(completion));
  } else {
    CompleteLater(home_, std::move(completion));
  }
}

absl::Status StreamEnd::CheckMayBlock() const {
  if (!home_.loops->RunningHere()) return absl::OkStatus();
  return absl::FailedPreconditionError("a blocking call on an I/O thread would dead-lock it");
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
    if (stream.input_closed) end->inbox_.Close(absl::OkStatus());
  }
  if (!StartStreamHandler(*link, entry, end, *end->context_)) {
    end->Release();
    return nullptr;
  }
  return end.get();
}

// --- Ending ---

void StreamEnd::CloseSend() {
  {
    std::lock_guard lock(mutex_);
    if (is_handler() || send_closed_) return;
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
  if (is_handler()) return Finish(absl::CancelledError("the handler gave the stream up"));
  const absl::Status unsent =
      WithDelivery(absl::CancelledError("the stream was cancelled"), Delivery::kNotSent);
  bool unopened;
  {
    std::lock_guard lock(mutex_);
    if (end_.has_value()) return;
    unopened = link_ == nullptr;
    // With the same lock: from here on Open, which may be under way on its own thread, gives up.
    if (unopened) SetEnd(unsent);
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
  if (!is_handler()) return Cancel();
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

void StreamEnd::FinishNow(Session* session, StreamMux* mux, const absl::Status& status) {
  if (mux != nullptr) {
    mux_ = nullptr;
    session->Finish(mux, status);
  }
  End(absl::FailedPreconditionError("the handler has ended the stream"));
  Release();
}

void StreamEnd::Abandon() {
  if (is_handler()) {
    Finish(absl::InternalError("the handler dropped the stream without ending it"));
  } else {
    Cancel();
  }
}

void StreamEnd::OnEnd(const absl::Status& status) {
  const std::shared_ptr<StreamEnd> keep = shared_from_this();
  // Handler's end: the mux stays until Finish.
  StreamMux* const mux = mux_;
  if (!is_handler()) mux_ = nullptr;
  End(status);
  FailBlockedWrite();
  if (!is_handler()) return Release();
  context_->Cancel(status);
  if (!finish_after_write_.has_value()) return;
  const std::shared_ptr<Link> link = CurrentLink();
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
  if (is_handler()) context_->Drain();
}

void StreamEnd::SetEnd(const absl::Status& status) {
  if (end_.has_value()) return;
  end_ = status;
  inbox_.Close(status);
}

void StreamEnd::End(const absl::Status& status) {
  StreamReader reader;
  std::optional<StreamInbox::Taken> taken;
  {
    std::lock_guard lock(mutex_);
    SetEnd(status);
    changed_.notify_all();
    reader = inbox_.TakeReader();
    if (!reader) return;
    taken = inbox_.Take();
  }
  Later(nullptr, reader.With(std::move(taken->result)));
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
