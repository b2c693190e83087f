#include "grid/actor/kind_host.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/actor_system.h"
#include "grid/transport/loop_timer.h"

namespace grid {

using internal::StartAnswer;
using internal::StopAnswer;
using internal::StopMessage;

namespace {

StartAnswer Rejected(StartAnswer::What what, const absl::Status& status) {
  return internal::ToAnswer(what, status, Delivery::kRejected);
}

StopAnswer ToStopAnswer(const absl::Status& status, Delivery delivery) {
  return {.code = static_cast<int32_t>(status.raw_code()),
          .text = std::string(status.message()),
          .delivery = static_cast<uint8_t>(delivery)};
}

// What `filter` says, as one of the two codes that a refusal has.
absl::Status Admit(const Kind::AdmissionFilter& filter, const StartArguments& arguments) {
  if (filter == nullptr) return absl::OkStatus();
  absl::Status status;
  try {
    status = filter(arguments);
  } catch (const std::exception& exception) {
    status = absl::UnknownError(exception.what());
  } catch (...) {
    status = absl::UnknownError("an exception");
  }
  if (status.ok() || absl::IsPermissionDenied(status)) return status;
  return absl::FailedPreconditionError(status.message());
}

}  // namespace

class KindHost::Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(KindTable kinds, internal::ActorHost& actors, KindHostOptions options)
      : kinds_(std::move(kinds)), actors_(&actors), options_(std::move(options)) {
    if (options_.clock == nullptr) options_.clock = RealClock();
    if (options_.log == nullptr) options_.log = DefaultLog();
  }

  void Start(StartArguments arguments, Completion<StartAnswer> completion);
  void Stop(const StopMessage& message, Completion<StopAnswer> completion);
  void Refuse(absl::Status why) {
    std::lock_guard lock(mutex_);
    refusing_ = std::move(why);
  }

  const KindTable& kinds() const { return kinds_; }
  const std::string& self() const { return actors_->self(); }
  KindHostStats Stats() const {
    return {.started = started_.load(),
            .already_running = already_running_.load(),
            .refused = refused_.load(),
            .no_kind = no_kind_.load(),
            .failed = failed_.load(),
            .stopped = stopped_.load(),
            .killed = killed_.load(),
            .under_way = under_way_.load(),
            .limit = limit_.load()};
  }

 private:
  struct Stopping;

  // Counts one more that is under way; an error when that is too many.
  absl::Status Enter();
  absl::Status Refusing() {
    std::lock_guard lock(mutex_);
    return refusing_;
  }
  void OnStarted(const Name& name, absl::StatusOr<uint64_t> started,
                 Completion<StartAnswer> completion);

  const KindTable kinds_;
  internal::ActorHost* const actors_;
  KindHostOptions options_;
  std::mutex mutex_;
  absl::Status refusing_ ABSL_GUARDED_BY(mutex_);  // OK: starts are taken
  std::atomic<uint64_t> started_{0}, already_running_{0}, refused_{0}, no_kind_{0}, failed_{0};
  std::atomic<uint64_t> stopped_{0}, killed_{0}, under_way_{0}, limit_{0};
};

absl::Status KindHost::Core::Enter() {
  if (under_way_.fetch_add(1) < options_.max_under_way) return absl::OkStatus();
  --under_way_;
  ++limit_;
  return absl::ResourceExhaustedError(
      absl::StrCat("more than max_under_way, ", options_.max_under_way, ", starts and stops"));
}

void KindHost::Core::Start(StartArguments arguments, Completion<StartAnswer> completion) {
  const Name name = arguments.name;
  const Kind* const kind = kinds_.Find(name);
  if (kind == nullptr) {
    ++no_kind_;
    return completion(Rejected(StartAnswer::kNoKind, absl::NotFoundError(absl::StrCat(
                                                         "hosts no kind for ", name.text()))));
  }
  for (const auto& [key, selector] : kind->resources) arguments.resources.emplace(key, selector);
  if (absl::Status status = Admit(kind->admit, arguments); !status.ok()) {
    ++refused_;
    return completion(Rejected(StartAnswer::kRefused, status));
  }
  ActorOptions options = kind->options;
  for (const auto& [key, value] : VisibleParameters(arguments.parameters)) {
    options.attributes.insert_or_assign(kParameterPrefix + key, value);
  }
  absl::Status status = CheckAttributes(options.attributes);
  status.Update(Refusing());
  if (status.ok() && kind->placement.isolated() && options_.isolate == nullptr) {
    status = absl::UnimplementedError(absl::StrCat(
        "kind ", kind->path.text(), ": this process starts no processes for isolated actors"));
  }
  if (status.ok()) status = Enter();
  if (!status.ok()) {
    ++failed_;
    return completion(Rejected(StartAnswer::kFailed, status));
  }
  Completion<absl::StatusOr<uint64_t>> started(
      [self = shared_from_this(), name,
       completion = std::move(completion)](absl::StatusOr<uint64_t> epoch) mutable {
        --self->under_way_;
        self->OnStarted(name, std::move(epoch), std::move(completion));
      });
  // The Kind is the table's, which the actor may outlive.
  ActorFactory factory =
      kind->placement.isolated()
          ? options_.isolate(arguments)
          : ActorFactory([make = kind->factory, arguments] { return make(arguments); });
  actors_->StartActor(name, std::move(factory), std::move(options), std::move(started));
}

void KindHost::Core::OnStarted(const Name& name, absl::StatusOr<uint64_t> started,
                               Completion<StartAnswer> completion) {
  if (started.ok()) {
    ++started_;
    return completion(
        {.what = StartAnswer::kStarted, .member = actors_->self(), .epoch = *started});
  }
  if (const auto holder = HolderOf(started.status())) {
    ++already_running_;
    return completion(
        {.what = StartAnswer::kAlreadyRunning, .member = holder->member, .epoch = holder->epoch});
  }
  ++failed_;
  options_.log->Log(
      LogLevel::kWarning,
      absl::StrCat("actor ", name.text(), " did not start: ", started.status().message()));
  // Without a class it is the actor's own error.
  const Delivery delivery =
      IsSafeToRetry(started.status()) ? Delivery::kRejected : Delivery::kExecuted;
  completion(internal::ToAnswer(StartAnswer::kFailed, started.status(), delivery));
}

// One stop that has a limit.
struct KindHost::Core::Stopping {
  std::optional<LoopTimer> timer;
  Completion<StopAnswer> completion;
  bool killed = false;
};

void KindHost::Core::Stop(const StopMessage& message, Completion<StopAnswer> completion) {
  absl::StatusOr<Name> name = Name::Parse(message.name);
  absl::Status status = name.status();
  if (status.ok() && message.mode > static_cast<uint8_t>(StopMode::kKill)) {
    status = absl::InvalidArgumentError(absl::StrCat("no mode of stopping: ", message.mode));
  }
  if (status.ok()) status = Enter();
  if (!status.ok()) return completion(ToStopAnswer(status, Delivery::kRejected));
  const auto mode = static_cast<StopMode>(message.mode);
  // Before any of it stops: what is resolved from now on goes elsewhere.
  if (mode == StopMode::kAfterQueue) actors_->MarkDraining(*name, message.epoch);

  auto stopping = std::make_shared<Stopping>();
  stopping->completion = std::move(completion);
  asio::io_context& io = *options_.io;
  asio::post(io, [self = shared_from_this(), stopping, name = *name, mode, message] {
    if (message.limit_ms > 0 && mode != StopMode::kKill) {
      stopping->timer.emplace(*self->options_.io, *self->options_.clock,
                              [self, weak = std::weak_ptr(stopping), name, epoch = message.epoch] {
                                const auto late = weak.lock();
                                if (late == nullptr) return;
                                late->killed = true;
                                ++self->killed_;
                                self->actors_->StopActor(name, epoch, StopMode::kKill,
                                                         Completion<absl::Status>([](auto) {}));
                              });
      // 49 days are as good as for ever.
      const std::chrono::milliseconds limit(std::min<uint64_t>(message.limit_ms, UINT32_MAX));
      stopping->timer->Set(self->options_.clock->Now() + limit);
    }
    self->actors_->StopActor(
        name, message.epoch, mode, Completion<absl::Status>([self, stopping](absl::Status stopped) {
          asio::post(*self->options_.io, [self, stopping, stopped = std::move(stopped)] {
            --self->under_way_;
            if (stopped.ok()) ++self->stopped_;
            stopping->timer.reset();
            StopAnswer answer = ToStopAnswer(
                stopped, absl::IsNotFound(stopped) ? Delivery::kRejected : Delivery::kExecuted);
            answer.killed = stopping->killed;
            stopping->completion(std::move(answer));
          });
        }));
  });
}

KindHost::KindHost(KindTable kinds, ActorSystem& actors, KindHostOptions options)
    : KindHost(std::move(kinds), actors.host(), std::move(options)) {}

KindHost::KindHost(KindTable kinds, internal::ActorHost& actors, KindHostOptions options)
    : core_(std::make_shared<Core>(std::move(kinds), actors, std::move(options))) {}
KindHost::~KindHost() = default;

const KindTable& KindHost::kinds() const { return core_->kinds(); }
const std::string& KindHost::self() const { return core_->self(); }
KindHostStats KindHost::Stats() const { return core_->Stats(); }
void KindHost::Refuse(absl::Status why) { core_->Refuse(std::move(why)); }

void KindHost::Start(StartArguments arguments, Completion<StartAnswer> completion) {
  core_->Start(std::move(arguments), std::move(completion));
}
void KindHost::Stop(const StopMessage& message, Completion<StopAnswer> completion) {
  core_->Stop(message, std::move(completion));
}

absl::Status KindHost::Serve(Registrar& registrar) {
  absl::Status status = internal::kActorStart.Register(
      registrar,
      [weak = std::weak_ptr<Core>(core_)](
          const internal::StartMessage& message,
          RequestContext& context) -> asio::awaitable<absl::StatusOr<StartAnswer>> {
        const auto core = weak.lock();
        absl::StatusOr<StartArguments> arguments = internal::FromMessage(message);
        absl::Status refused = arguments.status();
        if (core == nullptr) refused = absl::UnavailableError("no actors are started any more");
        if (!refused.ok()) co_return Rejected(StartAnswer::kFailed, refused);
        arguments->caller = context.caller();
        co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(StartAnswer)>(
            [](auto handler, const std::shared_ptr<Core>& to, StartArguments start) {
              to->Start(std::move(start), Completion<StartAnswer>(std::move(handler)));
            },
            asio::use_awaitable, core, *std::move(arguments));
      });
  status.Update(internal::kActorStop.Register(
      registrar,
      [weak = std::weak_ptr<Core>(core_)](const StopMessage& message, RequestContext&)
          -> asio::awaitable<absl::StatusOr<StopAnswer>> {
        const auto core = weak.lock();
        if (core == nullptr) {
          co_return ToStopAnswer(absl::UnavailableError("no actors are stopped any more"),
                                 Delivery::kRejected);
        }
        co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(StopAnswer)>(
            [](auto handler, const std::shared_ptr<Core>& to, StopMessage stop) {
              to->Stop(stop, Completion<StopAnswer>(std::move(handler)));
            },
            asio::use_awaitable, core, StopMessage(message));
      }));
  return status;
}

}  // namespace grid
