#include "grid/membership/membership_board.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

MembershipBoard::ViewPtr MembershipBoard::View() const {
  std::lock_guard lock(mutex_);
  return view_;
}

absl::StatusOr<MembershipWatcher> MembershipBoard::Watch() {
  if (watches_.fetch_add(1) >= max_watches_) {
    --watches_;
    ++watch_limit_;
    return absl::ResourceExhaustedError(
        absl::StrCat("more than max_watches, ", max_watches_, ", watches of the membership"));
  }
  auto watch = std::make_shared<MembershipWatch>(shared_from_this());
  std::lock_guard lock(mutex_);
  std::erase_if(watching_, [](const auto& weak) { return weak.expired(); });
  watching_.push_back(watch);
  return MembershipWatcher(std::move(watch));
}

void MembershipBoard::Publish(std::vector<Member> members) {
  std::vector<std::weak_ptr<MembershipWatch>> watching;
  {
    std::lock_guard lock(mutex_);
    view_ = std::make_shared<const MembershipView>(
        MembershipView{.number = view_->number + 1, .members = std::move(members)});
    watching = watching_;
  }
  for (const auto& weak : watching) {
    if (const auto watch = weak.lock()) watch->Deliver();
  }
}

void MembershipBoard::End(absl::Status why) {
  if (!ended_.ok()) return;
  ended_ = std::move(why);
  std::vector<std::weak_ptr<MembershipWatch>> watching;
  {
    std::lock_guard lock(mutex_);
    watching.swap(watching_);
  }
  for (const auto& weak : watching) {
    if (const auto watch = weak.lock()) watch->Deliver();
  }
}

void MembershipWatch::StartNext(Completion<absl::StatusOr<MembershipBoard::ViewPtr>> completion) {
  const uint64_t number = next_.NewNumber();
  auto slot = completion.cancellation_slot();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      asio::post(self->board_->io(), [self, number] { self->next_.Cancel(number); });
    });
  }
  asio::post(board_->io(),
             [self = shared_from_this(), number, completion = std::move(completion)]() mutable {
               if (self->next_.Put(number, std::move(completion))) self->Deliver();
             });
}

void MembershipWatch::Close() {
  asio::post(board_->io(), [self = shared_from_this()] {
    self->closed_ = true;
    self->Deliver();
  });
}

void MembershipWatch::Deliver() {
  if (!next_.waiting()) return;
  const auto self = shared_from_this();
  if (closed_) return next_.Complete(absl::CancelledError("closed"));
  if (!board_->ended_.ok()) return next_.Complete(board_->ended_);
  MembershipBoard::ViewPtr view = board_->View();
  if (view->number <= told_) return;
  told_ = view->number;
  next_.Complete(std::move(view));
}

}  // namespace grid::internal
