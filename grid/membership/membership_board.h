// MembershipBoard: where a source puts its views, and MembershipWatch: who reads them. What every
// Membership has the same.
//
// Internal to grid/membership.
#ifndef GRID_GRID_MEMBERSHIP_MEMBERSHIP_BOARD_H_
#define GRID_GRID_MEMBERSHIP_MEMBERSHIP_BOARD_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/directory/next_slot.h"
#include "grid/membership/membership.h"

namespace grid::internal {

class MembershipBoard final : public std::enable_shared_from_this<MembershipBoard> {
 public:
  using ViewPtr = MembershipWatcher::ViewPtr;

  // `io` is run by one thread, and outlives the Membership.
  MembershipBoard(asio::io_context& io, size_t max_watches) : io_(io), max_watches_(max_watches) {}

  asio::io_context& io() { return io_; }

  // --- Any thread ---

  ViewPtr View() const;
  absl::StatusOr<MembershipWatcher> Watch();
  uint64_t watch_limit() const { return watch_limit_.load(); }

  // --- The membership's thread ---

  // `members`: by name, each once.
  void Publish(std::vector<Member> members);
  // Ends every watch with `why`, which must not be OK.
  void End(absl::Status why);

 private:
  friend class MembershipWatch;

  asio::io_context& io_;
  const size_t max_watches_;
  std::atomic<uint64_t> watch_limit_{0};
  std::atomic<size_t> watches_{0};
  mutable std::mutex mutex_;
  ViewPtr view_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const MembershipView>();
  std::vector<std::weak_ptr<MembershipWatch>> watching_ ABSL_GUARDED_BY(mutex_);
  absl::Status ended_;  // OK while it goes on; the membership's thread
};

class MembershipWatch final : public std::enable_shared_from_this<MembershipWatch> {
 public:
  explicit MembershipWatch(std::shared_ptr<MembershipBoard> board)
      : board_(std::move(board)), next_(board_->io()) {}
  ~MembershipWatch() { --board_->watches_; }

  // --- Any thread ---

  void StartNext(Completion<absl::StatusOr<MembershipBoard::ViewPtr>> completion);
  void Close();

  // --- The membership's thread ---

  // There is something new.
  void Deliver();

 private:
  const std::shared_ptr<MembershipBoard> board_;
  NextSlot<MembershipBoard::ViewPtr> next_;
  uint64_t told_ = 0;  // the number of the last view given
  bool closed_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_MEMBERSHIP_MEMBERSHIP_BOARD_H_
