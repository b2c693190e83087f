// NextSlot: the Next of a watch that waits for an event: one at a time, and each can be cancelled,
// also before it has come to the watch's thread. Each has a number, by which its cancellation finds
// it.
//
// Internal. On the watch's thread, but for NewNumber.
#ifndef GRID_GRID_DIRECTORY_NEXT_SLOT_H_
#define GRID_GRID_DIRECTORY_NEXT_SLOT_H_

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/completion.h"

namespace grid::internal {

template <typename Event>
class NextSlot {
 public:
  // `io` runs the watch's thread.
  explicit NextSlot(asio::io_context& io) : io_(io) {}

  // The number of a Next that begins. Any thread.
  uint64_t NewNumber() { return numbers_.fetch_add(1) + 1; }

  // `completion` waits from now on; false: it was cancelled, or another one waits, and it has been
  // told so.
  bool Put(uint64_t number, Completion<absl::StatusOr<Event>> completion) {
    absl::Status refused;
    if (waiting_) refused = absl::FailedPreconditionError("another Next is under way");
    if (number <= cancelled_) refused = absl::CancelledError("cancelled");
    if (!refused.ok()) {
      completion.Complete(&io_, std::move(refused));
      return false;
    }
    waiting_ = std::move(completion);
    number_ = number;
    return true;
  }

  void Cancel(uint64_t number) {
    cancelled_ = std::max(cancelled_, number);
    if (waiting_ && number_ == number) Complete(absl::CancelledError("cancelled"));
  }

  bool waiting() const { return static_cast<bool>(waiting_); }
  // It must wait. What its handler does may come back here.
  void Complete(absl::StatusOr<Event> event) {
    auto waiting = std::move(waiting_);
    waiting.Complete(&io_, std::move(event));
  }

 private:
  asio::io_context& io_;
  std::atomic<uint64_t> numbers_{0};
  Completion<absl::StatusOr<Event>> waiting_;
  uint64_t number_ = 0;     // of waiting_
  uint64_t cancelled_ = 0;  // the last that was cancelled
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_NEXT_SLOT_H_
