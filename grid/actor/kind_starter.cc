#include "grid/actor/kind_starter.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "grid/actor/kind_host.h"
#include "grid/actor/member_caller.h"
#include "grid/transport/loop_timer.h"
#include "handlers/delivery.h"

namespace grid {

using internal::StartAnswer;
using internal::StopAnswer;

namespace {

std::chrono::milliseconds Millis(Duration duration) {
  return std::max(std::chrono::milliseconds(1),
                  std::chrono::ceil<std::chrono::milliseconds>(duration));
}

// The path of the kind that `name` belongs to, as the members say; its realm/kind where none does.
Path KindPathOf(const MembershipView& view, const Name& name) {
  std::string_view best;
  for (const Member& member : view.members) {
    const std::string_view hosted = HostedKind(member, name);
    if (hosted.size() > best.size()) best = hosted;
  }
  if (!best.empty()) {
    if (absl::StatusOr<Path> path = Path::Parse(best); path.ok()) return *std::move(path);
  }
  return *Path::Parse(absl::StrCat(std::string(name.realm()), "/", std::string(name.kind())));
}

}  // namespace

// One start, through all of its attempts. On the starter's thread.
struct KindStarter::Starting {
  StartRequest request;
  Placement placement;
  TimePoint deadline;
  Completion<absl::StatusOr<StartResult>> completion;  // null once it is over
  uint32_t attempts = 0;                               // begun
  std::set<std::string, std::less<>> tried = {};       // members that did not take it
  absl::Status last = {};
  std::unique_ptr<LoopTimer> timer = {};  // of the pause, and of the deadline
  bool pausing = false;
  std::string kind = {};  // its path
  std::string at = {};    // the member that is asked; empty: none
};

class KindStarter::Core final : public std::enable_shared_from_this<Core> {
 public:
  using Operation = std::shared_ptr<Starting>;

  Core(Directory& directory, Membership& members, std::shared_ptr<internal::MemberCaller> caller,
       KindStarterOptions options)
      : directory_(directory),
        members_(members),
        caller_(std::move(caller)),
        options_(std::move(options)),
        clock_(options_.clock != nullptr ? options_.clock : RealClock()),
        random_(options_.seed != 0 ? options_.seed : std::random_device()()) {}

  asio::io_context& io() { return *options_.io; }
  KindStarterStats Stats() const {
    return {.started = started_.load(),
            .already_running = already_running_.load(),
            .refused = refused_.load(),
            .failed = failed_.load(),
            .retries = retries_.load(),
            .under_way = under_way_.load(),
            .limit = limit_.load()};
  }

  void Begin(StartRequest request, Completion<absl::StatusOr<StartResult>> completion);
  void Stop(const StopRequest& request, Completion<absl::StatusOr<StopResult>> completion);
  void Close();

 private:
  // Runs `function(Core&, Operation, Result)` on our thread, unless it is over by then.
  template <typename Result, typename Function>
  Completion<Result> Then(const Operation& operation, Function function) {
    return Completion<Result>(asio::bind_executor(
        io().get_executor(), [weak = weak_from_this(), operation, function](Result result) {
          const auto self = weak.lock();
          if (self != nullptr && operation->completion)
            function(*self, operation, std::move(result));
        }));
  }

  void Attempt(const Operation& operation);
  // The member that was asked has answered, or is waited for no longer.
  void Unask(Starting& operation);
  absl::StatusOr<std::string> Pick(Starting& operation);
  void OnAnswer(const Operation& operation, const std::string& member,
                absl::StatusOr<StartAnswer> answer);
  // Tries again after a pause, or gives up.
  void OnFailed(const Operation& operation, absl::Status status);
  void OnTimer(const Operation& operation);
  // By value: what it is called with may be gone before it returns.
  void End(Operation operation, absl::StatusOr<StartResult> result);

  Directory& directory_;
  Membership& members_;
  const std::shared_ptr<internal::MemberCaller> caller_;
  const KindStarterOptions options_;
  const std::shared_ptr<Clock> clock_;
  std::mt19937_64 random_;
  uint64_t turn_ = 0;
  std::set<Operation> operations_;
  std::map<std::string, std::map<std::string, size_t>> asked_;  // by kind and member
  bool closed_ = false;
  std::atomic<uint64_t> started_{0}, already_running_{0}, refused_{0}, failed_{0}, retries_{0};
  std::atomic<uint64_t> under_way_{0}, limit_{0};
};

void KindStarter::Core::Begin(StartRequest request,
                              Completion<absl::StatusOr<StartResult>> completion) {
  absl::Status refused = CheckStartParameters(request.parameters);
  refused.Update(request.policy.Check());
  if (request.placement.has_value()) refused.Update(request.placement->Check());
  if (refused.ok() && operations_.size() >= options_.max_under_way) {
    ++limit_;
    refused = absl::ResourceExhaustedError(
        absl::StrCat("more than max_under_way, ", options_.max_under_way, ", starts"));
  }
  if (closed_) refused = absl::CancelledError("the starter has ended");
  if (!refused.ok()) {
    return completion.Complete(&io(), WithDelivery(std::move(refused), Delivery::kNotSent));
  }
  const Kind* const kind =
      options_.host != nullptr ? options_.host->kinds().Find(request.name) : nullptr;
  Placement placement =
      request.placement.value_or(kind != nullptr ? kind->placement : Placement::Spread());
  const TimePoint deadline = clock_->Now() + request.policy.deadline;
  const Path kind_path = KindPathOf(*members_.View(), request.name);
  auto slot = completion.cancellation_slot();
  const auto operation = std::make_shared<Starting>(Starting{.request = std::move(request),
                                                             .placement = std::move(placement),
                                                             .deadline = deadline,
                                                             .completion = std::move(completion),
                                                             .kind = kind_path.text()});
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), operation](asio::cancellation_type) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      asio::post(self->io(), [self, operation] {
        self->End(operation, WithDelivery(absl::CancelledError("cancelled"),
                                          operation->attempts > 0 ? Delivery::kMaybeExecuted
                                                                  : Delivery::kNotSent));
      });
    });
  }
  operations_.insert(operation);
  under_way_ = operations_.size();
  operation->timer =
      std::make_unique<LoopTimer>(io(), *clock_, [this, weak = std::weak_ptr(operation)] {
        if (const Operation late = weak.lock()) OnTimer(late);
      });
  operation->timer->Set(deadline);
  const Placement::Mode mode = operation->placement.mode();
  if ((mode == Placement::Mode::kSpread || mode == Placement::Mode::kLeast) &&
      !operation->request.running.has_value()) {
    return directory_.StartResolve(
        Selector::Under(kind_path), Millis(operation->request.policy.deadline),
        Then<absl::StatusOr<Resolution>>(
            operation, [](Core& self, const Operation& to, absl::StatusOr<Resolution> found) {
              if (!found.ok()) {
                return self.End(to, WithDelivery(found.status(), Delivery::kNotSent));
              }
              auto& running = to->request.running.emplace();
              for (const Entry& entry : found->entries) ++running[entry.member];
              self.Attempt(to);
            }));
  }
  Attempt(operation);
}

absl::StatusOr<std::string> KindStarter::Core::Pick(Starting& operation) {
  PlacementQuery query{
      .name = operation.request.name,
      .caller = operation.request.caller.empty() ? members_.self() : operation.request.caller,
      .running = operation.request.running.value_or(std::map<std::string, size_t>()),
      .tried = operation.tried,
      .turn = turn_++,
      .random = random_()};
  // Those that are being started count as well, so that many starts at once spread out.
  if (const auto asked = asked_.find(operation.kind); asked != asked_.end()) {
    for (const auto& [member, count] : asked->second) query.running[member] += count;
  }
  const std::shared_ptr<const MembershipView> view = members_.View();
  absl::StatusOr<std::string> member = Place(operation.placement, *view, query);
  if (member.ok() || operation.tried.empty()) return member;
  // Everybody has been tried: once more from the beginning.
  operation.tried.clear();
  query.tried.clear();
  return Place(operation.placement, *view, query);
}

void KindStarter::Core::Attempt(const Operation& operation) {
  ++operation->attempts;
  operation->pausing = false;
  operation->timer->Set(operation->deadline);
  absl::StatusOr<std::string> member = Pick(*operation);
  if (!member.ok()) return OnFailed(operation, member.status());
  operation->at = *member;
  ++asked_[operation->kind][*member];
  const auto message = internal::ToMessage(operation->request.name, operation->request.parameters,
                                           operation->request.resources);
  caller_->Start(*member, message, Millis(operation->deadline - clock_->Now()),
                 Then<absl::StatusOr<StartAnswer>>(
                     operation, [member = *member](Core& self, const Operation& to,
                                                   absl::StatusOr<StartAnswer> answer) {
                       self.OnAnswer(to, member, std::move(answer));
                     }));
}

void KindStarter::Core::Unask(Starting& operation) {
  const std::string member = std::exchange(operation.at, {});
  if (member.empty()) return;
  auto& asked = asked_[operation.kind];
  if (--asked[member] == 0) asked.erase(member);
  if (asked.empty()) asked_.erase(operation.kind);
}

void KindStarter::Core::OnAnswer(const Operation& operation, const std::string& member,
                                 absl::StatusOr<StartAnswer> answer) {
  Unask(*operation);
  absl::Status status = answer.ok() ? StatusOf(*answer, member) : answer.status();
  if (status.ok()) {
    const bool already = answer->what == StartAnswer::kAlreadyRunning;
    ++(already ? already_running_ : started_);
    return End(operation, StartResult{.already_running = already,
                                      .member = std::move(answer->member),
                                      .epoch = answer->epoch});
  }
  if (answer.ok() && answer->what == StartAnswer::kRefused) {
    ++refused_;
    return End(operation, std::move(status));
  }
  operation->tried.insert(member);
  OnFailed(operation, std::move(status));
}

void KindStarter::Core::OnFailed(const Operation& operation, absl::Status status) {
  const CallPolicy& policy = operation->request.policy;
  const double random = std::uniform_real_distribution<double>(0, 1)(random_);
  const TimePoint next = clock_->Now() + policy.back_off.Pause(operation->attempts + 1, random);
  if (!policy.Retries(DeliveryOf(status)) || operation->attempts >= policy.attempts ||
      next >= operation->deadline) {
    ++failed_;
    return End(operation, std::move(status));
  }
  operation->last = std::move(status);
  operation->pausing = true;
  operation->timer->Set(next);
}

void KindStarter::Core::OnTimer(const Operation& operation) {
  if (!operation->completion) return;
  if (operation->pausing) {
    ++retries_;
    return Attempt(operation);
  }
  ++failed_;
  End(operation,
      WithDelivery(absl::DeadlineExceededError(
                       absl::StrCat(operation->request.name.text(), " was not started in time",
                                    operation->last.ok() ? "" : ": ", operation->last.message())),
                   operation->attempts > 0 ? Delivery::kMaybeExecuted : Delivery::kNotSent));
}

void KindStarter::Core::End(Operation operation, absl::StatusOr<StartResult> result) {
  if (!operation->completion) return;
  auto completion = std::move(operation->completion);
  operation->timer.reset();
  Unask(*operation);
  operations_.erase(operation);
  under_way_ = operations_.size();
  completion.Complete(&io(), std::move(result));
}

void KindStarter::Core::Stop(const StopRequest& request,
                             Completion<absl::StatusOr<StopResult>> completion) {
  const internal::StopMessage message{
      .name = request.name.text(),
      .epoch = request.epoch,
      .mode = static_cast<uint8_t>(request.mode),
      .limit_ms = static_cast<uint64_t>(std::max<int64_t>(0, request.limit.count()))};
  caller_->Stop(
      request.member, message, request.timeout,
      Completion<absl::StatusOr<StopAnswer>>(asio::bind_executor(
          io().get_executor(),
          [self = shared_from_this(), member = request.member,
           completion = std::move(completion)](absl::StatusOr<StopAnswer> answer) mutable {
            absl::Status status = answer.ok() ? StatusOf(*answer, member) : answer.status();
            if (!status.ok()) return completion.Complete(&self->io(), std::move(status));
            completion.Complete(&self->io(), StopResult{.killed = answer->killed});
          })));
}

void KindStarter::Core::Close() {
  closed_ = true;
  for (const Operation& operation : std::set<Operation>(operations_)) {
    End(operation,
        WithDelivery(absl::CancelledError("the starter has ended"),
                     operation->attempts > 0 ? Delivery::kMaybeExecuted : Delivery::kNotSent));
  }
}

KindStarter::KindStarter(Directory& directory, Membership& members, Manager& manager,
                         KindStarterOptions options)
    : KindStarter(directory, members, internal::MakeMemberCaller(manager, options.host), options) {}

KindStarter::KindStarter(Directory& directory, Membership& members,
                         std::shared_ptr<internal::MemberCaller> caller, KindStarterOptions options)
    : core_(std::make_shared<Core>(directory, members, std::move(caller), std::move(options))) {}

KindStarter::~KindStarter() { core_->Close(); }

KindStarterStats KindStarter::Stats() const { return core_->Stats(); }

void KindStarter::StartStart(StartRequest request,
                             Completion<absl::StatusOr<StartResult>> completion) {
  asio::post(
      core_->io(), [weak = std::weak_ptr<Core>(core_), io = &core_->io(),
                    request = std::move(request), completion = std::move(completion)]() mutable {
        const auto core = weak.lock();
        if (core != nullptr) return core->Begin(std::move(request), std::move(completion));
        completion.Complete(
            io, WithDelivery(absl::CancelledError("the starter has ended"), Delivery::kNotSent));
      });
}

void KindStarter::StartStop(StopRequest request,
                            Completion<absl::StatusOr<StopResult>> completion) {
  asio::post(
      core_->io(), [weak = std::weak_ptr<Core>(core_), io = &core_->io(),
                    request = std::move(request), completion = std::move(completion)]() mutable {
        const auto core = weak.lock();
        if (core != nullptr) return core->Stop(request, std::move(completion));
        completion.Complete(
            io, WithDelivery(absl::CancelledError("the starter has ended"), Delivery::kNotSent));
      });
}

}  // namespace grid
