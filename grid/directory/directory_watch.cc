#include "grid/directory/directory_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

DirectoryWatch::DirectoryWatch(std::shared_ptr<DirectoryCore> core, Selector selector)
    : core_(std::move(core)),
      view_(std::move(selector), core_->options().limits.max_watch_events),
      next_(core_->io()) {}

// --- Any thread ---

void DirectoryWatch::StartNext(Completion<absl::StatusOr<WatchEvent>> completion) {
  const uint64_t number = next_.NewNumber();
  auto slot = completion.cancellation_slot();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->core_->Post([self, number] { self->next_.Cancel(number); });
    });
  }
  auto shared = std::make_shared<Completion<absl::StatusOr<WatchEvent>>>(std::move(completion));
  const bool posted = core_->Post([self = shared_from_this(), number, shared]() mutable {
    if (self->next_.Put(number, std::move(*shared))) self->Deliver();
  });
  if (!posted) shared->Post(DirectoryCore::StoppedError());
}

void DirectoryWatch::Close() {
  const auto self = shared_from_this();
  if (!core_->Post([self] { self->End(absl::CancelledError("closed")); })) core_->Adopt(self);
}

// --- The directory's thread ---

void DirectoryWatch::Deliver() {
  if (!next_.waiting()) return;
  if (!ended_.ok()) return next_.Complete(ended_);
  if (view_.ready()) next_.Complete(view_.Take());
}

void DirectoryWatch::Subscribe() {
  if (!ended_.ok()) return;
  subscription_ = core_->backend().Subscribe(view_.selector(), *this);
}

void DirectoryWatch::End(absl::Status why) {
  if (!ended_.ok()) return;
  const auto self = shared_from_this();
  ended_ = std::move(why);
  retry_.reset();
  subscription_.reset();
  core_->Forget(this);
  Deliver();
}

void DirectoryWatch::OnAll(std::vector<Entry> entries) {
  failures_ = 0;
  if (view_.filled()) ++core_->stats().resubscribed;
  for (const Entry& entry : entries) core_->SawEpoch(entry.epoch);
  view_.Reset(std::move(entries));
  Deliver();
}

void DirectoryWatch::OnPut(Entry entry) {
  core_->SawEpoch(entry.epoch);
  view_.Put(entry);
  Deliver();
}

void DirectoryWatch::OnRemove(const Name& name, uint64_t epoch) {
  view_.Remove(name, epoch);
  Deliver();
}

void DirectoryWatch::OnEnd(absl::Status why) {
  subscription_.reset();
  if (!why.ok() && !MayPass(why)) return End(std::move(why));
  ++failures_;
  core_->Log(LogLevel::kDebug, absl::StrCat("a watch of ", view_.selector().ToString(),
                                            " begins again: ", why.message()));
  retry_.emplace(core_->io(), *core_->options().clock, [this] { Subscribe(); });
  retry_->Set(core_->Now() + core_->PauseAfter(failures_));
}

}  // namespace grid::internal
