#include "grid/actor/coroutine_actor.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "grid/actor/actor_cell.h"
#include "grid/actor/mailbox_end.h"

namespace grid {
namespace internal {

// Those that wait until the letters they have handed over were handled. The strand.
class HandOvers {
 public:
  explicit HandOvers(const ActorCell& cell) : strand_(cell.executor()) {}

  // Completes at the next ReleaseAll.
  asio::awaitable<void> Wait() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) {
          waiters_.push_back(asio::bind_executor(strand_, std::move(handler)));
        },
        asio::use_awaitable);
  }
  void ReleaseAll() {
    std::vector<Waiter> waiters;
    waiters.swap(waiters_);
    for (Waiter& waiter : waiters) asio::post(strand_, std::move(waiter));
  }
  // Any thread.
  static void OnWaiting(const std::shared_ptr<HandOvers>& self) {
    asio::dispatch(self->strand_, [self] { self->ReleaseAll(); });
  }

 private:
  using Waiter = asio::any_completion_handler<void()>;

  const asio::strand<asio::io_context::executor_type> strand_;
  std::vector<Waiter> waiters_;
};

// Its one behaviour hands a letter over, and is over when the coroutine wants the next one.
class CoroutineActor final : public Actor {
 public:
  explicit CoroutineActor(ActorBody body) : body_(std::move(body)) {
    OnOther(CoroutineBehaviour([this](Letter& letter, ActorContext&) {
      end_->Put(std::move(letter));
      return hand_overs_->Wait();
    }));
  }

  asio::awaitable<absl::Status> OnStart(ActorContext& context) override {
    cell_ = &context.cell_;
    // Letters come one by one, and have been counted already.
    MailboxOptions options;
    options.capacity = static_cast<size_t>(cell_->options().concurrency);
    options.max_bytes = std::numeric_limits<size_t>::max();
    end_ = std::make_shared<MailboxEnd>(cell_->runtime(), cell_->name(), options, Holding::kShared,
                                        cell_->epoch(), cell_->lease());
    hand_overs_ = std::make_shared<HandOvers>(*cell_);
    end_->OnWaiting([hand_overs = hand_overs_] { HandOvers::OnWaiting(hand_overs); });
    cell_->RunBody(Run());
    return {};
  }

 private:
  asio::awaitable<absl::Status> Run() {
    // Also when an exception ends it.
    struct Ended {
      explicit Ended(HandOvers* its) : hand_overs(its) {}
      ~Ended() { hand_overs->ReleaseAll(); }
      HandOvers* const hand_overs;
    };
    const Ended ended(hand_overs_.get());
    Mailbox mailbox(end_);  // closes: what is left in there is answered
    ActorContext context(*cell_, nullptr);
    co_return co_await body_(mailbox, context);
  }

  void OnMailboxEnd(const absl::Status& why) override { end_->End(why); }

  const ActorBody body_;
  ActorCell* cell_ = nullptr;
  std::shared_ptr<MailboxEnd> end_;
  std::shared_ptr<HandOvers> hand_overs_;
};

}  // namespace internal

ActorFactory CoroutineActor(ActorBody body) {
  return [body = std::move(body)] { return std::make_unique<internal::CoroutineActor>(body); };
}

}  // namespace grid
