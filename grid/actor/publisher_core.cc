#include "grid/actor/publisher_core.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/actor/gather_operation.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

absl::Status CheckAll(const RecipientsCore* to, const PublisherOptions& options) {
  if (to == nullptr) return absl::FailedPreconditionError("there is no actor system");
  const Routing& routing = to->routing();
  if (routing.one() || routing.mode() == Routing::Mode::kFirst) {
    return absl::InvalidArgumentError(
        absl::StrCat("routing: ", routing.ToString(), " does not take all that subscribe"));
  }
  return options.Check();
}

// What subscribers tell from others, so not 0.
uint64_t NewId(RecipientsCore* to) {
  uint64_t id = 1;
  if (to != nullptr) {
    do id = to->env().Random();
    while (id == 0);
  }
  return id;
}

// Who was reached stays so; who is not a subscriber any more is left out.
PublishReport ReportOf(const Publication& publication, std::optional<PublishReport> before,
                       RawResults results) {
  PublishReport report{.publication = publication, .reached = {}, .failed = {}};
  if (before.has_value()) report.reached = std::move(before->reached);
  const std::set<Target> had(report.reached.begin(), report.reached.end());
  for (RawResult& result : results.results) {
    if (had.contains(result.target)) continue;
    if (result.answer.ok()) {
      report.reached.push_back(std::move(result.target));
    } else {
      report.failed.push_back(
          {.target = std::move(result.target), .status = result.answer.status()});
    }
  }
  return report;
}

}  // namespace

PublisherCore::PublisherCore(std::shared_ptr<RecipientsCore> to, const PublisherOptions& options)
    : to_(std::move(to)),
      options_(options),
      check_(CheckAll(to_.get(), options_)),
      id_(options_.id != 0 ? options_.id : NewId(to_.get())),
      incarnation_(NewId(to_.get())) {}

absl::Status PublisherCore::Check(const Outgoing& message,
                                  const std::optional<PublishReport>& again) const {
  if (!check_.ok()) return WithDelivery(check_, Delivery::kNotSent);
  if (again.has_value() &&
      (again->publication.publisher != id_ || again->publication.incarnation != incarnation_)) {
    return WithDelivery(absl::InvalidArgumentError("report: it is of another publisher"),
                        Delivery::kNotSent);
  }
  return CheckSeveral(to_.get(), message);
}

void PublisherCore::Publish(Outgoing message, std::optional<PublishReport> again,
                            PublishCompletion completion) {
  const StartingVerb starting;
  if (absl::Status refused = Check(message, again); !refused.ok()) {
    return Refuse(std::move(completion), std::move(refused));
  }
  const auto item = std::make_shared<Item>(Item{.message = std::move(message),
                                                .again = std::move(again),
                                                .completion = std::move(completion)});
  // Before another thread can complete it, with whom the slot may go.
  EndBy(item->completion.cancellation_slot(), item);
  if (absl::Status refused = Enqueue(item); !refused.ok()) {
    return Refuse(std::move(item->completion), std::move(refused));
  }
  Pump();
}

void PublisherCore::Refuse(PublishCompletion completion, absl::Status why) {
  if (to_ == nullptr) return completion(std::move(why));
  StartingVerb::Complete(to_->env(), std::move(completion),
                         absl::StatusOr<PublishReport>(std::move(why)));
}

void PublisherCore::EndBy(asio::cancellation_slot slot, const ItemPtr& item) {
  if (!slot.is_connected()) return;
  slot.assign(
      [weak = weak_from_this(), item = std::weak_ptr<Item>(item)](asio::cancellation_type type) {
        if ((type & asio::cancellation_type::terminal) == asio::cancellation_type::none) return;
        const auto self = weak.lock();
        if (self == nullptr) return;
        // Not from inside the slot, which the completion may end.
        self->to_->env().OnControl([weak, item] {
          const auto core = weak.lock();
          const auto cancelled = item.lock();
          if (core != nullptr && cancelled != nullptr) core->Cancel(cancelled);
        });
      });
}

absl::Status PublisherCore::Enqueue(const ItemPtr& item) {
  const size_t bytes = item->message.body.view().size();
  std::lock_guard lock(mutex_);
  if (item->cancelled) {
    return WithDelivery(absl::CancelledError("cancelled"), Delivery::kNotSent);
  }
  const bool its_turn = waiting_.empty() && under_way_ < options_.max_under_way;
  const bool full = waiting_.size() >= options_.max_queue && !its_turn;
  if (full || (!waiting_.empty() && waiting_bytes_ + bytes > options_.max_queue_bytes)) {
    ++stats_.queue_limit;
    item->over = true;
    return WithDelivery(absl::ResourceExhaustedError(absl::StrCat(
                            waiting_.size(), " publications of ", waiting_bytes_,
                            " bytes wait (PublisherOptions::max_queue ", options_.max_queue,
                            ", max_queue_bytes ", options_.max_queue_bytes, ")")),
                        Delivery::kRejected);
  }
  waiting_.push_back(item);
  waiting_bytes_ += bytes;
  return absl::OkStatus();
}

void PublisherCore::Pump() {
  std::unique_lock lock(mutex_);
  // What is over inside Begin comes back here: the loop below goes on for it, and nothing of the
  // order is lost to another thread.
  if (std::exchange(pumping_, true)) return;
  while (!waiting_.empty() && under_way_ < options_.max_under_way) {
    const ItemPtr item = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= item->message.body.view().size();
    ++under_way_;
    ++(item->again.has_value() ? stats_.republished : stats_.published);
    item->publication =
        item->again.has_value()
            ? item->again->publication
            : Publication{.publisher = id_, .incarnation = incarnation_, .sequence = ++sequence_};
    lock.unlock();
    Begin(item);
    lock.lock();
  }
  pumping_ = false;
}

std::shared_ptr<RecipientsCore> PublisherCore::ToThose(const PublishReport& report) const {
  std::vector<Name> names;
  for (const PublishReport::Failure& failure : report.failed) names.push_back(failure.target.name);
  const Name* const from = to_->from();
  auto those = RecipientsCore::Make(to_->env().shared_from_this(), Selector::Of(names),
                                    Routing::All(), to_->policy(),
                                    from != nullptr ? std::optional<Name>(*from) : std::nullopt);
  if (!those->check().ok()) return to_;  // too many names for a selector
  return those;
}

void PublisherCore::Begin(const ItemPtr& item) {
  item->message.publication = item->publication;
  const std::shared_ptr<GatherOperation> gather =
      StartGather(item->again.has_value() ? ToThose(*item->again) : to_, std::move(item->message));
  gather->All(ResultsCompletion([self = shared_from_this(), item](RawResults results) {
    self->OnResults(item, std::move(results));
  }));
  bool cancelled = false;
  {
    std::lock_guard lock(mutex_);
    if (!item->over) item->gather = gather;
    cancelled = item->cancelled;
  }
  if (cancelled) gather->End(absl::CancelledError("cancelled"));
}

void PublisherCore::OnResults(const ItemPtr& item, RawResults results) {
  const bool asked = results.status.ok() || !results.results.empty();
  absl::StatusOr<PublishReport> report =
      asked ? ReportOf(item->publication, std::move(item->again), std::move(results))
            : absl::StatusOr<PublishReport>(results.status);
  {
    std::lock_guard lock(mutex_);
    item->over = true;
    item->gather = nullptr;
    --under_way_;
    if (report.ok()) {
      stats_.reached += report->reached.size();
      stats_.failed += report->failed.size();
    } else {
      ++stats_.not_published;
    }
  }
  StartingVerb::Complete(to_->env(), std::move(item->completion), std::move(report));
  Pump();
}

void PublisherCore::Cancel(const ItemPtr& item) {
  std::shared_ptr<GatherOperation> gather;
  bool waited = false;
  {
    std::lock_guard lock(mutex_);
    if (item->over || std::exchange(item->cancelled, true)) return;
    ++stats_.cancelled;
    const auto waiting = std::find(waiting_.begin(), waiting_.end(), item);
    if (waiting != waiting_.end()) {
      waiting_.erase(waiting);
      waiting_bytes_ -= item->message.body.view().size();
      item->over = waited = true;
    } else {
      gather = item->gather;  // null: Begin sees that it was cancelled
    }
  }
  if (gather != nullptr) return gather->End(absl::CancelledError("cancelled"));
  if (waited) {
    item->completion(WithDelivery(absl::CancelledError("cancelled"), Delivery::kNotSent));
  }
}

PublisherStats PublisherCore::Stats() const {
  std::lock_guard lock(mutex_);
  PublisherStats stats = stats_;
  stats.waiting = waiting_.size();
  stats.under_way = under_way_;
  return stats;
}

}  // namespace grid::internal
