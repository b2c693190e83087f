#include "grid/actor/isolated_main.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_cell.h"
#include "grid/actor/actor_protocol.h"
#include "grid/actor/isolated_pipe.h"
#include "grid/actor/isolated_processes.h"
#include "grid/actor/isolated_system.h"

namespace grid {
namespace internal {
namespace {

// Until the host has said; it has checked what it sends.
constexpr size_t kMaxFrameBytes = UINT32_MAX;

// The process of one actor: two threads, one for the pipe, so that it is heard whatever the actor
// does, and one for the actor; those of its manager, where it calls others.
class IsolatedMain {
 public:
  IsolatedMain(const KindTable& kinds, const IsolatedClientFunction& client)
      : kinds_(kinds), client_(client) {}

  int Run() {
    pipe_ = std::make_shared<IsolatedPipe>(io_, kIsolatedFd, kMaxFrameBytes);
    // The host is gone, and with it whom any of this is for: nothing is waited for.
    pipe_->Start([this](IsolatedFrame frame,
                        Buffer payload) { OnFrame(std::move(frame), std::move(payload)); },
                 [] { _exit(EXIT_FAILURE); });
    std::thread actors([this] { actors_.run(); });
    io_.run();
    // What the actor has left behind may run still; it ends with the process, not before.
    std::fflush(nullptr);
    _exit(EXIT_SUCCESS);
  }

 private:
  // Brings one answer back.
  class Sink final : public OutcomeSink {
   public:
    Sink(IsolatedMain& main, uint64_t id, std::shared_ptr<Cancellation> cancellation)
        : main_(main), id_(id), cancellation_(std::move(cancellation)) {}

    void Complete(LetterOutcome outcome) override {
      asio::post(main_.io_, [&main = main_, id = id_, outcome = std::move(outcome)]() mutable {
        main.Answer(id, std::move(outcome));
      });
    }
    std::shared_ptr<Cancellation> cancellation() override { return cancellation_; }

   private:
    IsolatedMain& main_;
    const uint64_t id_;
    const std::shared_ptr<Cancellation> cancellation_;
  };

  void OnFrame(IsolatedFrame frame, Buffer payload) {
    switch (frame.what) {
      case IsolatedFrame::kStart:
        return Start(std::move(frame));
      case IsolatedFrame::kLetter:
        return Put(std::move(frame), std::move(payload));
      case IsolatedFrame::kCancel:
        if (const auto found = open_.find(frame.id); found != open_.end()) {
          found->second->Cancel(absl::CancelledError("the sender has given up"));
        }
        return;
      case IsolatedFrame::kLease:
        if (lease_ != nullptr) lease_->Extend(FromWire(frame.time));
        return;
      case IsolatedFrame::kStop:
        if (cell_ != nullptr) cell_->Stop(StopMode::kAfterCurrent);
        return;
      default:
        return;
    }
  }

  void Start(IsolatedFrame frame) {
    absl::StatusOr<StartArguments> arguments = FromMessage(frame.start);
    if (!arguments.ok()) return Finish(IsolatedFrame::kStarted, arguments.status());
    arguments->caller = CallerOf(frame);
    pipe_->SetMaxFrameBytes(frame.max_frame_bytes);
    const Kind* const kind = kinds_.Find(arguments->name);
    if (kind == nullptr) {
      return Finish(IsolatedFrame::kStarted,
                    absl::NotFoundError(
                        absl::StrCat("this program has no kind for ", arguments->name.text())));
    }
    if (client_ != nullptr) {
      absl::StatusOr<std::unique_ptr<IsolatedSystem>> system =
          IsolatedSystem::Make(io_, client_,
                               {.start = *arguments,
                                .settings = std::move(frame.settings),
                                .local = IsolatedClientName(arguments->name, frame.epoch)});
      if (!system.ok()) return Finish(IsolatedFrame::kStarted, system.status());
      system_ = *std::move(system);
    }
    lease_ = std::make_shared<LeaseToken::State>(RealClock(), FromWire(frame.time));
    runtime_ = std::make_shared<ActorRuntime>(io_, actors_, RealClock(), DefaultLog(),
                                              system_ == nullptr ? nullptr : &system_->actors());
    const Name name = arguments->name;
    cell_ = std::make_shared<ActorCell>(
        runtime_, name, kind->options,
        [kind, start = *std::move(arguments)] { return kind->factory(start); });
    cell_->Start(frame.epoch, LeaseToken(lease_),
                 Completion<absl::Status>([this](absl::Status started) {
                   asio::post(io_, [this, started = std::move(started)] { OnStarted(started); });
                 }));
  }

  void OnStarted(const absl::Status& started) {
    if (!started.ok()) return Finish(IsolatedFrame::kStarted, started);
    (void)pipe_->Send({.what = IsolatedFrame::kStarted});
    cell_->OnStopped(
        [this](const absl::Status& why) { asio::post(io_, [this, why] { OnStopped(why); }); });
  }

  void OnStopped(const absl::Status& why) {
    if (system_ == nullptr) return Finish(IsolatedFrame::kStopped, why);
    system_->Stop([this, why] { Finish(IsolatedFrame::kStopped, why); });
  }

  void Put(IsolatedFrame frame, Buffer payload) {
    auto cancellation = std::make_shared<Cancellation>();
    open_[frame.id] = cancellation;
    auto sender = std::make_shared<Sender>(Sender{.process = CallerOf(frame)});
    if (!frame.actor.empty()) {
      if (absl::StatusOr<Name> actor = Name::Parse(frame.actor); actor.ok()) {
        sender->actor = *std::move(actor);
      }
    }
    if (auto publication = PublicationFrom(frame.published); publication.ok()) {
      sender->publication = *publication;
    }
    ReplyToken reply(std::make_unique<Sink>(*this, frame.id, cancellation));
    if (cell_ == nullptr || frame.type_bytes > payload.size()) {
      return reply.Refuse(absl::UnavailableError("there is no actor yet"));
    }
    cell_->Put(Letter{.message = std::move(payload),
                      .type_bytes = frame.type_bytes,
                      .nil_body = frame.nil,
                      .deadline = FromWire(frame.time),
                      .sender = std::move(sender),
                      .cancellation = std::move(cancellation),
                      .reply = std::move(reply)});
  }

  void Answer(uint64_t id, LetterOutcome outcome) {
    open_.erase(id);
    IsolatedFrame frame{.what = IsolatedFrame::kAnswer, .id = id};
    if (!outcome.ok()) {
      SetStatus(outcome.status(), frame);
      (void)pipe_->Send(frame);
      return;
    }
    frame.nil = outcome->data() == nullptr;
    if (absl::Status sent = pipe_->Send(frame, outcome->view()); !sent.ok()) {
      SetStatus(WithDelivery(std::move(sent), Delivery::kExecuted), frame);
      (void)pipe_->Send(frame);
    }
  }

  // The last word.
  void Finish(IsolatedFrame::What what, const absl::Status& why) {
    IsolatedFrame frame{.what = what};
    SetStatus(why, frame);
    (void)pipe_->Send(frame);
    pipe_->WhenSent([this] { io_.stop(); });
  }

  const KindTable& kinds_;
  const IsolatedClientFunction& client_;
  asio::io_context io_{1};
  asio::io_context actors_{1};
  const asio::executor_work_guard<asio::io_context::executor_type> work_{actors_.get_executor()};
  std::shared_ptr<IsolatedPipe> pipe_;
  std::shared_ptr<LeaseToken::State> lease_;
  std::unique_ptr<IsolatedSystem> system_;  // null: the actor reaches nobody
  std::shared_ptr<ActorRuntime> runtime_;
  std::shared_ptr<ActorCell> cell_;
  std::map<uint64_t, std::shared_ptr<Cancellation>> open_;
};

}  // namespace
}  // namespace internal

std::optional<int> RunIsolatedActor(int argc, char** argv, const KindTable& kinds,
                                    const IsolatedClientFunction& client) {
  if (argc < 3 || std::string_view(argv[1]) != internal::kIsolatedFlag) return std::nullopt;
  // The kernel ends us with the host, also when it is killed; and if it has gone before this line,
  // it is not our parent any more.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string_view parent = argv[2];
  pid_t expected = 0;
  std::from_chars(parent.data(), parent.data() + parent.size(), expected);
  if (getppid() != expected) return EXIT_FAILURE;
  return internal::IsolatedMain(kinds, client).Run();
}

}  // namespace grid
