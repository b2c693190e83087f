#include "grid/actor/member_drain.h"

#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "grid/actor/start_protocol.h"
#include "handlers/delivery.h"

namespace grid {

using internal::DrainAnswer;

namespace {

DrainAnswer Failed(const absl::Status& why, Delivery delivery) {
  return {.code = static_cast<int32_t>(why.raw_code()),
          .text = std::string(why.message()),
          .delivery = static_cast<uint8_t>(delivery)};
}

}  // namespace

class MemberDrain::Core final {
 public:
  Core(KindHost& kinds, ActorSystem& actors, Membership& members)
      : kinds_(&kinds), actors_(&actors), members_(&members) {}

  void Close() {
    std::lock_guard lock(mutex_);
    kinds_ = nullptr;
  }

  // The lock is held while the others are used: Close waits for that. None of them calls back.
  void Drain(Completion<absl::StatusOr<uint64_t>> completion) {
    std::unique_lock lock(mutex_);
    if (kinds_ == nullptr) {
      lock.unlock();
      return completion(
          WithDelivery(absl::UnavailableError("the member has stopped"), Delivery::kRejected));
    }
    kinds_->Refuse(absl::UnavailableError("this member drains"));
    members_->Change({{Member::kDraining, "true"}}, [completion = std::move(completion),
                                                     marked = actors_->MarkDraining()](
                                                        const absl::Status& told) mutable {
      completion(told.ok() ? absl::StatusOr<uint64_t>(marked) : absl::StatusOr<uint64_t>(told));
    });
  }

 private:
  std::mutex mutex_;
  KindHost* kinds_ ABSL_GUARDED_BY(mutex_);  // null: closed
  ActorSystem* const actors_;
  Membership* const members_;
};

MemberDrain::MemberDrain(KindHost& kinds, ActorSystem& actors, Membership& members)
    : core_(std::make_shared<Core>(kinds, actors, members)) {}
MemberDrain::~MemberDrain() { core_->Close(); }

void MemberDrain::StartDrain(Completion<absl::StatusOr<uint64_t>> completion) {
  core_->Drain(std::move(completion));
}

absl::Status MemberDrain::Serve(Registrar& registrar) {
  return internal::kMemberDrain.Register(
      registrar,
      [weak = std::weak_ptr<Core>(core_)](const NoPayload&, RequestContext& context)
          -> asio::awaitable<absl::StatusOr<DrainAnswer>> {
        if (context.caller().is_client) {
          co_return Failed(absl::PermissionDeniedError("a client takes no member out of service"),
                           Delivery::kRejected);
        }
        const auto core = weak.lock();
        if (core == nullptr) {
          co_return Failed(absl::UnavailableError("the member has stopped"), Delivery::kRejected);
        }
        const absl::StatusOr<uint64_t> marked =
            co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                          void(absl::StatusOr<uint64_t>)>(
                [](auto handler, const std::shared_ptr<Core>& to) {
                  to->Drain(Completion<absl::StatusOr<uint64_t>>(std::move(handler)));
                },
                asio::use_awaitable, core);
        // It drains by now, whatever others were told.
        if (!marked.ok()) co_return Failed(marked.status(), Delivery::kExecuted);
        co_return DrainAnswer{.actors = *marked};
      });
}

void internal::StartDrainMember(const Connection& member, std::chrono::milliseconds timeout,
                                Completion<absl::StatusOr<uint64_t>> completion) {
  internal::kMemberDrain.Call(member, NoPayload{}, {.timeout = timeout},
                              [completion = std::move(completion),
                               host = member.host()](absl::StatusOr<DrainAnswer> answer) mutable {
                                absl::Status status =
                                    answer.ok() ? StatusOf(*answer, host) : answer.status();
                                if (!status.ok()) return completion(std::move(status));
                                completion(answer->actors);
                              });
}

}  // namespace grid
