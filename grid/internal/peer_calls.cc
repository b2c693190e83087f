// Peer: requests and streams on their way to the link, from any thread.
#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/peer.h"
#include "grid/runtime/complete.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

// A request on its way to the link's thread.
class CallTask final : public LinkTask {
 public:
  // `options` but for the time, which is the deadline's.
  CallTask(HandlerId handler, const SubrouteId* subroute, Buffer payload, TimePoint deadline,
           const RequestOptions& options, const Compressed& compressed, Buffer metadata,
           ReplyHandler completion, std::shared_ptr<CallCancellation> cancellation)
      : handler_(handler),
        payload_(std::move(payload)),
        metadata_(std::move(metadata)),
        deadline_(deadline),
        priority_(options.priority),
        compression_(options.compression),
        compressed_(compressed),
        trace_(options.trace),
        completion_(std::move(completion)),
        cancellation_(std::move(cancellation)) {
    if (subroute != nullptr) subroute_ = *subroute;
  }

  void Run(Link& link) override {
    link.StartCall({.handler = handler_.value(),
                    .subroute = subroute_.has_value() ? &*subroute_ : nullptr,
                    .payload = std::move(payload_),
                    .deadline = deadline_,
                    .priority = priority_,
                    .compressed = compressed_,
                    .meta = {trace_, MetadataView::Of(metadata_)}},
                   compression_, std::move(completion_), cancellation_);
  }
  void Fail(const LoopRef& home, const absl::Status& why) {
    FailLater(home, std::move(completion_), why);
  }
  const std::shared_ptr<CallCancellation>& cancellation() const { return cancellation_; }

 private:
  const HandlerId handler_;
  std::optional<SubrouteId> subroute_;
  Buffer payload_;
  const Buffer metadata_;
  const TimePoint deadline_;
  const Priority priority_;
  const Compression compression_;
  const Compressed compressed_;  // what payload_ was
  const TraceContext trace_;
  ReplyHandler completion_;
  const std::shared_ptr<CallCancellation> cancellation_;
};

class CancelTask final : public LinkTask {
 public:
  explicit CancelTask(std::shared_ptr<CallCancellation> cancellation)
      : cancellation_(std::move(cancellation)) {}
  void Run(Link& link) override { link.CancelCall(*cancellation_); }

 private:
  const std::shared_ptr<CallCancellation> cancellation_;
};

class OpenTask final : public LinkTask {
 public:
  OpenTask(std::shared_ptr<StreamEnd> end, OutgoingStream out)
      : end_(std::move(end)), out_(std::move(out)) {}
  void Run(Link& link) override { end_->Open(link.shared_from_this(), out_); }
  void Fail(const absl::Status& why) { end_->Fail(why); }

 private:
  const std::shared_ptr<StreamEnd> end_;
  const OutgoingStream out_;
};

absl::Status InvalidHandler() {
  return WithDelivery(
      absl::InvalidArgumentError(absl::StrCat("handler id must be 1 to ", HandlerId::kMax)),
      Delivery::kNotSent);
}

}  // namespace

Link* Peer::LinkHere() const {
  IoLoop* const loop = link_loop_.load(std::memory_order_acquire);
  return loop != nullptr && loop->RunningHere() ? local_[loop->index()] : nullptr;
}

void Peer::StartRequest(HandlerId handler, const SubrouteId* subroute, PayloadRef payload,
                        const RequestOptions& options, ReplyHandler completion) {
  const auto fail = [&](const absl::Status& why) { FailLater(home_, std::move(completion), why); };
  if (!handler.valid()) return fail(InvalidHandler());
  if (options.compression.dictionary != 0) {
    const absl::Status known = CheckDictionary(options.compression);
    if (!known.ok()) return fail(known);
  }
  Link* const here = LinkHere();
  const TimePoint deadline =
      Deadline(here != nullptr ? here->Now() : core_->clock()->Now(),
               options.timeout.count() == 0 ? core_->options().timeouts.request : options.timeout);

  std::shared_ptr<CallCancellation> cancellation;
  auto slot = completion.cancellation_slot();
  auto waiter = std::shared_ptr<std::atomic<uint64_t>>();
  if (slot.is_connected()) {
    cancellation = std::make_shared<CallCancellation>();
    waiter = std::make_shared<std::atomic<uint64_t>>(0);
    slot.assign([weak = weak_from_this(), cancellation, waiter](asio::cancellation_type type) {
      if ((type & asio::cancellation_type::all) == asio::cancellation_type::none) return;
      if (auto self = weak.lock()) self->CancelRequest(cancellation, waiter->load());
    });
  }

  if (here != nullptr) {
    if (cancellation != nullptr) {
      std::lock_guard lock(cancellation->mutex);
      cancellation->link = here->weak_from_this();
    }
    CallMeta meta;
    if (options.trace || !options.metadata.empty()) meta = {options.trace, options.metadata};
    return here->StartCall({.handler = handler.value(),
                            .subroute = subroute,
                            .payload = payload,
                            .deadline = deadline,
                            .priority = options.priority,
                            .meta = meta},
                           options.compression, std::move(completion), cancellation);
  }

  std::shared_ptr<Link> link;
  absl::Status none;
  {
    std::lock_guard lock(mutex_);
    link = Usable();
    if (link == nullptr && !options.wait_for_ready) none = NotConnected();
  }
  if (!none.ok()) return fail(none);
  const absl::Status fits = CheckPayload("a payload", payload.size());
  if (!fits.ok()) return fail(fits);
  OutgoingPayload out;
  if (link != nullptr) out = link->compressor().Compress(options.compression, payload.view());
  const Compressed compressed = out.compressed;
  auto call = std::make_unique<CallTask>(
      handler, subroute, out.Wire(payload).Take(*core_->pool()), deadline, options, compressed,
      core_->pool()->Copy(options.metadata.bytes()), std::move(completion), cancellation);
  if (link != nullptr) {
    if (cancellation != nullptr) {
      std::lock_guard lock(cancellation->mutex);
      cancellation->link = link;
    }
    CallTask* const raw = call.get();
    std::unique_ptr<LinkTask> task = std::move(call);
    if (!link->Post(task)) {
      raw->Fail(home_, DisconnectedError("the connection was lost", Delivery::kNotSent));
    }
    return;
  }
  auto shared = std::shared_ptr<CallTask>(std::move(call));
  const auto number =
      Wait(deadline, [shared, home = home_](absl::StatusOr<std::shared_ptr<Link>> ready) {
        if (!ready.ok()) return shared->Fail(home, ready.status());
        if (shared->cancellation() != nullptr) {
          std::lock_guard lock(shared->cancellation()->mutex);
          shared->cancellation()->link = *ready;
        }
        shared->Run(**ready);
      });
  if (!number.ok()) return shared->Fail(home_, number.status());
  if (waiter == nullptr) return;
  waiter->store(*number);
  // A cancellation that came before the number was known found nobody to end.
  if (cancellation->IsCancelled()) CancelRequest(cancellation, *number);
}

void Peer::CancelRequest(const std::shared_ptr<CallCancellation>& cancellation, uint64_t waiter) {
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(cancellation->mutex);
    cancellation->cancelled = true;
    link = cancellation->link.lock();
  }
  if (link != nullptr) {
    std::unique_ptr<LinkTask> task = std::make_unique<CancelTask>(cancellation);
    link->Post(task);  // down: the call has been completed
    return;
  }
  EndWaiter(waiter, WithDelivery(absl::CancelledError("cancelled"), Delivery::kNotSent));
}

absl::StatusOr<Stream> Peer::OpenStream(HandlerId handler, const SubrouteId* subroute,
                                        BytesView initial, const StreamOptions& options) {
  if (!handler.valid()) return InvalidHandler();
  if (options.timeout.count() < 0) {
    return WithDelivery(absl::DeadlineExceededError("the time-out is negative"),
                        Delivery::kNotSent);
  }
  absl::Status fits = CheckPayload("an initial payload", initial.size());
  if (fits.ok()) fits = CheckDictionary(options.compression);
  if (!fits.ok()) return fits;
  OutgoingStream out;
  out.handler = handler;
  if (subroute != nullptr) out.subroute = *subroute;
  out.has_input = options.has_input;
  out.in_capacity = options.in_capacity;
  out.out_capacity = options.out_capacity;
  out.window = options.window;
  out.read_pieces = options.read_pieces;
  out.priority = options.priority;
  out.trace = options.trace;
  out.metadata = core_->pool()->Copy(options.metadata.bytes());
  if (options.timeout.count() > 0) out.deadline = Deadline(options.timeout);

  auto end =
      std::make_shared<StreamEnd>(core_->pool(), home_, options.compression, out.read_pieces);
  if (Link* link = LinkHere(); link != nullptr) {
    out.initial = core_->pool()->Copy(initial);
    end->Open(link->shared_from_this(), out);
    return Stream(std::move(end));
  }
  std::shared_ptr<Link> link;
  absl::Status none;
  {
    std::lock_guard lock(mutex_);
    link = Usable();
    if (link == nullptr && !options.wait_for_ready) none = NotConnected();
  }
  if (!none.ok()) return none;
  OutgoingPayload payload;
  if (link != nullptr) payload = link->compressor().Compress(options.compression, initial);
  out.compressed = payload.compressed;
  out.initial = payload.Wire(initial).Take(*core_->pool());
  auto open = std::make_unique<OpenTask>(end, std::move(out));
  if (link != nullptr) {
    std::unique_ptr<LinkTask> task = std::move(open);
    if (!link->Post(task)) {
      return DisconnectedError("the connection was lost", Delivery::kNotSent);
    }
    return Stream(std::move(end));
  }
  const TimePoint until =
      Deadline(options.timeout.count() > 0 ? options.timeout : core_->options().timeouts.request);
  auto shared = std::shared_ptr<OpenTask>(std::move(open));
  const auto number = Wait(until, [shared](absl::StatusOr<std::shared_ptr<Link>> ready) {
    if (!ready.ok()) return shared->Fail(ready.status());
    shared->Run(**ready);
  });
  if (!number.ok()) return number.status();
  return Stream(std::move(end));
}

// What no session would take is refused before it is copied; the session says and counts the same.
absl::Status Peer::CheckPayload(std::string_view what, size_t bytes) {
  const Limits& limits = core_->options().limits;
  const bool fragments = core_->extensions(ManagerCore::Side::kDialer).fragments != 0;
  const size_t limit = fragments ? std::max(limits.max_message_bytes, limits.max_payload_bytes)
                                 : limits.max_message_bytes;
  if (bytes <= limit) return absl::OkStatus();
  {
    std::lock_guard lock(mutex_);
    Count(Drop::kMessageTooBig);
  }
  return WithDelivery(
      absl::InvalidArgumentError(absl::StrCat(
          absl::string_view(what.data(), what.size()), " of ", bytes, " bytes exceeds ",
          fragments ? "max_payload_bytes" : "max_message_bytes", " (", limit, ")")),
      Delivery::kNotSent);
}

// One that nobody has would go unnoticed otherwise.
absl::Status Peer::CheckDictionary(const Compression& compression) const {
  if (compression.dictionary == 0 || core_->HasDictionary(compression.dictionary)) {
    return absl::OkStatus();
  }
  return WithDelivery(
      absl::InvalidArgumentError(absl::StrCat("there is no dictionary ", compression.dictionary,
                                              " among ManagerOptions::dictionaries")),
      Delivery::kNotSent);
}

}  // namespace grid::internal
