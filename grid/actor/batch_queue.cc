#include "grid/actor/batch_queue.h"

#include <algorithm>
#include <utility>

namespace grid::internal {

BatchQueue::Added BatchQueue::Add(BatchItem& item, TimePoint now) {
  if (closed_) return Added::kClosed;
  const size_t bytes = item.bytes.size();
  if (items_.size() >= limits_.max_queue) return Added::kFull;
  if (!items_.empty() && bytes_ + bytes > limits_.max_queue_bytes) return Added::kFull;
  if (items_.size() == batch_) linger_until_ = now + limits_.linger;
  bytes_ += bytes;
  items_.push_back(std::move(item));
  return Added::kQueued;
}

BatchQueue::Step BatchQueue::Next(TimePoint now) {
  switch (state_) {
    case State::kSending:
      return {};
    case State::kPausing:
      if (now < pause_until_) return {.what = Step::What::kWait, .until = pause_until_};
      break;
    case State::kGathering: {
      if (items_.empty()) return {};
      const bool full =
          items_.size() >= limits_.max_batch || bytes_ >= limits_.max_batch_bytes || closed_;
      if (!full && now < linger_until_) {
        return {.what = Step::What::kWait, .until = linger_until_};
      }
      Choose(now);
      break;
    }
  }
  state_ = State::kSending;
  ++attempt_;
  return {.what = Step::What::kSend};
}

// As many as a batch takes; at least the first, however large it is.
void BatchQueue::Choose(TimePoint now) {
  const size_t most = std::min(items_.size(), limits_.max_batch);
  size_t bytes = items_.front().bytes.size();
  batch_ = 1;
  while (batch_ < most && bytes + items_[batch_].bytes.size() <= limits_.max_batch_bytes) {
    bytes += items_[batch_++].bytes.size();
  }
  linger_until_ = now + limits_.linger;
}

void BatchQueue::Failed(Delivery delivery) { worst_ = std::max(worst_, delivery); }

void BatchQueue::RetryAt(TimePoint at) {
  state_ = State::kPausing;
  pause_until_ = at;
}

std::vector<BatchItem> BatchQueue::GiveUpAll() {
  closed_ = true;
  return Take(items_.size());
}

std::vector<BatchItem> BatchQueue::Take(size_t count) {
  std::vector<BatchItem> taken;
  taken.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    bytes_ -= items_.front().bytes.size();
    taken.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  state_ = State::kGathering;
  batch_ = 0;
  attempt_ = 0;
  worst_ = Delivery::kNotSent;
  return taken;
}

}  // namespace grid::internal
