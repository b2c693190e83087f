#include "grid/actor/producer_core.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"
#include "serialization/messagepack_encoder.h"

namespace grid {
namespace internal {

// The batch of a queue, as it travels: the array of its items, each of which was encoded when it
// came.
struct BatchOf {
  const BatchQueue* queue = nullptr;
};

}  // namespace internal

template <>
struct Codec<internal::BatchOf> {
  static absl::Status Encode(const internal::BatchOf& batch, Buffer& out) {
    const internal::BatchQueue& queue = *batch.queue;
    size_t bytes = internal::kMaxHeader;
    for (size_t i = 0; i < queue.batch(); ++i) bytes += queue.at(i).bytes.size();
    out.Reserve(out.size() + bytes);
    internal::BufferSink header(out);
    internal::Packer(header).pack_array(static_cast<uint32_t>(queue.batch()));
    header.Finish();
    for (size_t i = 0; i < queue.batch(); ++i) out.Append(queue.at(i).bytes.view());
    return absl::OkStatus();
  }
  // It is read as what it is an array of.
  static absl::Status Decode(BytesView, internal::BatchOf&, const DecodeLimits&) {
    return absl::UnimplementedError("a batch is never read as such");
  }
};

namespace internal {
namespace {

constexpr std::chrono::milliseconds kDay = std::chrono::hours(24);

absl::Status NotSent(absl::Status status) {
  return WithDelivery(std::move(status), Delivery::kNotSent);
}

}  // namespace

ProducerCore::ProducerCore(std::unique_ptr<BatchSink> sink, std::string_view type,
                           ProducerOptions options)
    : options_(std::move(options)),
      type_(type),
      sink_(std::move(sink)),
      // Posted, as whoever is told then may let go of the producer, timers included.
      timer_(*options_.io, *options_.clock, [this] { PostRun(); }),
      drain_timer_(
          *options_.io, *options_.clock,
          [this] { asio::post(io(), [self = shared_from_this()] { self->OnDrainOver(); }); }),
      queue_({.max_queue = options_.max_queue,
              .max_queue_bytes = options_.max_queue_bytes,
              .max_batch = options_.max_batch,
              .max_batch_bytes = options_.max_batch_bytes,
              .linger = options_.linger}) {}

// --- Coming ---

void ProducerCore::Produce(Buffer bytes, absl::Status encoded,
                           Completion<absl::Status> completion) {
  absl::Status refused = std::move(encoded);
  if (!refused.ok()) refused = NotSent(PayloadError("item", refused));
  const TimePoint now = options_.linger.count() > 0 ? options_.clock->Now() : TimePoint();
  BatchItem item{.bytes = std::move(bytes), .completion = std::move(completion)};
  bool run = false;
  {
    std::lock_guard lock(mutex_);
    if (refused.ok()) refused = refuse_;
    if (!refused.ok()) {
      ++stats_.refused;
    } else if (queue_.Add(item, now) == BatchQueue::Added::kQueued) {
      ++stats_.produced;
      // What is under way looks again when it is done.
      run = !queue_.sending() && !std::exchange(running_, true);
    } else {
      ++stats_.queue_limit;
      refused = WithDelivery(absl::ResourceExhaustedError(absl::StrCat(
                                 queue_.size(), " items of ", queue_.bytes(),
                                 " bytes wait (ProducerOptions::max_queue ", options_.max_queue,
                                 ", max_queue_bytes ", options_.max_queue_bytes, ")")),
                             Delivery::kRejected);
    }
  }
  if (run) PostRun();
  if (refused.ok()) return;
  asio::post(io(), [self = shared_from_this(), completion = std::move(item.completion),
                    refused = std::move(refused)]() mutable {
    completion.Complete(&self->io(), std::move(refused));
  });
}

void ProducerCore::PostRun() {
  asio::post(io(), [self = shared_from_this()] { self->Run(); });
}

// --- Going out ---

void ProducerCore::Run() {
  if (ended_) return;
  BatchQueue::Step step;
  std::optional<Outgoing> batch;
  bool again = false;
  bool empty = false;
  {
    std::lock_guard lock(mutex_);
    running_ = false;
    step = queue_.Next(options_.clock->Now());
    empty = queue_.empty();
    if (step.what == BatchQueue::Step::What::kSend) {
      again = queue_.attempt() > 1;
      if (again) ++stats_.retries;
      batch.emplace(NextBatch());
    }
  }
  if (step.what == BatchQueue::Step::What::kWait) timer_.Set(step.until);
  if (batch.has_value()) return Send(*std::move(batch), again);
  if (empty && !stop_waiting_.empty()) TellStopped();
}

Outgoing ProducerCore::NextBatch() {
  Outgoing batch{.type = type_, .body = {}, .encoded = absl::OkStatus(), .answered = false};
  batch.encoded = batch.body.Encode(BatchOf{&queue_});
  return batch;
}

void ProducerCore::Send(Outgoing batch, bool again) {
  cancel_ = std::make_shared<asio::cancellation_signal>();
  // The signal goes with the handler: it is what the slot belongs to.
  auto sent = [weak = weak_from_this(), cancel = cancel_, send = ++send_](absl::Status status) {
    auto self = weak.lock();
    if (self == nullptr) return;
    // Neither on another thread nor inside Send.
    asio::io_context& io = self->io();
    asio::post(io, [self = std::move(self), send, status = std::move(status)] {
      self->OnSent(send, status);
    });
  };
  sink_->Send(
      std::move(batch), again,
      Completion<absl::Status>(asio::bind_cancellation_slot(cancel_->slot(), std::move(sent))));
}

void ProducerCore::OnSent(uint64_t send, const absl::Status& sent) {
  if (ended_ || send != send_) return;
  cancel_ = nullptr;
  std::vector<BatchItem> done;
  BatchFailure failure;
  {
    std::lock_guard lock(mutex_);
    if (sent.ok()) {
      done = queue_.Succeeded();
      ++stats_.batches;
      stats_.sent += done.size();
    } else {
      queue_.Failed(DeliveryOf(sent));
      ++stats_.failures;
      failure = {.status = WithDelivery(sent, queue_.worst(), IsRemote(sent)),
                 .attempt = queue_.attempt(),
                 .items = queue_.batch()};
    }
  }
  if (sent.ok()) {
    Tell(std::move(done), sent);
    return Run();
  }
  const ProducerDecision decision = Decide(failure);
  if (ended_) return;
  if (decision.what == ProducerDecision::What::kFailAndStop) {
    const absl::Status stopped = absl::FailedPreconditionError(
        absl::StrCat("the producer has stopped: ", failure.status.message()));
    options_.log->Log(LogLevel::kError, absl::StrCat("producer of \"", std::string(type_),
                                                     "\": ", stopped.message()));
    rest_.status = failure.status;
    return GiveUp(failure.status, stopped);
  }
  {
    std::lock_guard lock(mutex_);
    if (decision.what == ProducerDecision::What::kFailAndContinue) {
      done = queue_.GiveUp();
      stats_.failed += done.size();
    } else {
      const bool now = decision.what == ProducerDecision::What::kRetryNow;
      const auto pause = std::clamp(decision.after, std::chrono::milliseconds(0), kDay);
      queue_.RetryAt(options_.clock->Now() + (now ? Duration::zero() : Duration(pause)));
    }
  }
  Tell(std::move(done), failure.status);
  Run();
}

ProducerDecision ProducerCore::Decide(const BatchFailure& failure) {
  if (options_.on_failure == nullptr) return ProducerDecision::FailAndStop();
  std::string thrown = "an exception";
  try {
    return options_.on_failure(failure);
  } catch (const std::exception& exception) {
    thrown = exception.what();
  } catch (...) {
  }
  options_.log->Log(LogLevel::kError, absl::StrCat("producer of \"", std::string(type_),
                                                   "\": on_failure has thrown: ", thrown));
  std::lock_guard lock(mutex_);
  ++stats_.decision_errors;
  return ProducerDecision::FailAndStop();
}

void ProducerCore::Tell(std::vector<BatchItem> items, const absl::Status& status) {
  for (BatchItem& item : items) item.completion.Complete(&io(), status);
}

// --- The end ---

void ProducerCore::GiveUp(const absl::Status& failure, const absl::Status& why) {
  ended_ = true;
  timer_.Clear();
  drain_timer_.Clear();
  std::vector<BatchItem> batch;
  std::vector<BatchItem> waiting;
  Delivery worst = Delivery::kNotSent;
  {
    std::lock_guard lock(mutex_);
    refuse_ = NotSent(why);
    worst = queue_.worst();
    // It may still be executed.
    if (cancel_ != nullptr) worst = std::max(worst, Delivery::kMaybeExecuted);
    const size_t count = queue_.batch();
    waiting = queue_.GiveUpAll();
    const auto behind = waiting.begin() + static_cast<std::ptrdiff_t>(count);
    batch.assign(std::make_move_iterator(waiting.begin()), std::make_move_iterator(behind));
    waiting.erase(waiting.begin(), behind);
    stats_.failed += batch.size() + waiting.size();
  }
  const bool not_executed = worst == Delivery::kNotSent || worst == Delivery::kRejected;
  (not_executed ? rest_.not_executed : rest_.maybe_executed) += batch.size();
  rest_.not_executed += waiting.size();
  if (const auto cancel = std::move(cancel_)) cancel->emit(asio::cancellation_type::terminal);
  Tell(std::move(batch), failure.ok() ? WithDelivery(why, worst) : failure);
  Tell(std::move(waiting), NotSent(why));
  TellStopped();
}

void ProducerCore::Stop(Completion<ProducerRest> completion) {
  stop_waiting_.push_back(std::move(completion));
  if (ended_) return TellStopped();
  if (stop_waiting_.size() > 1) return;
  {
    std::lock_guard lock(mutex_);
    if (refuse_.ok()) {
      refuse_ = NotSent(absl::FailedPreconditionError("the producer was stopped"));
    }
    queue_.Close();
  }
  drain_timer_.Set(options_.clock->Now() + options_.drain);
  Run();
}

void ProducerCore::OnDrainOver() {
  if (ended_) return;
  const absl::Status why = absl::DeadlineExceededError(
      absl::StrCat("the producer was stopped, and had not finished within ", options_.drain.count(),
                   " ms (ProducerOptions::drain)"));
  rest_.status = why;
  GiveUp(absl::OkStatus(), why);
}

void ProducerCore::TellStopped() {
  ended_ = true;
  timer_.Clear();
  drain_timer_.Clear();
  std::vector<Completion<ProducerRest>> waiting;
  waiting.swap(stop_waiting_);
  for (Completion<ProducerRest>& completion : waiting) completion.Complete(&io(), rest_);
}

void ProducerCore::Close() {
  if (ended_) return;
  rest_.status = absl::CancelledError("the producer has gone");
  GiveUp(absl::OkStatus(), rest_.status);
}

// --- Any thread ---

absl::Status ProducerCore::status() const {
  std::lock_guard lock(mutex_);
  return refuse_;
}

ProducerStats ProducerCore::Stats() const {
  std::lock_guard lock(mutex_);
  ProducerStats stats = stats_;
  stats.waiting = queue_.size();
  stats.waiting_bytes = queue_.bytes();
  stats.under_way = queue_.sending() ? queue_.batch() : 0;
  return stats;
}

}  // namespace internal
}  // namespace grid
