// KindWorld: processes with kinds, in memory and on a virtual clock: a local directory that they
// share, memberships, KindHosts over actors that are nothing but names, starters, patrols.
#ifndef GRID_TESTS_UNIT_ACTOR_KIND_WORLD_H_
#define GRID_TESTS_UNIT_ACTOR_KIND_WORLD_H_

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/kind_host.h"
#include "grid/actor/kind_starter.h"
#include "grid/actor/member_caller.h"
#include "grid/actor/patrol.h"
#include "grid/directory/local_directory.h"
#include "grid/membership/directory_membership.h"
#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"
#include "grid/transport/loop_timer.h"
#include "handlers/delivery.h"

namespace grid {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Actors that only hold their names. A factory may return null: nobody calls what it makes.
class FakeActors final : public internal::ActorHost {
 public:
  FakeActors(asio::io_context& io, std::shared_ptr<Clock> clock, Directory& names, std::string self)
      : io_(io), clock_(std::move(clock)), names_(names), self_(std::move(self)) {}

  const std::string& self() const override { return self_; }

  void StartActor(const Name& name, ActorFactory factory, ActorOptions options,
                  Completion<absl::StatusOr<uint64_t>> completion) override {
    const absl::StatusOr<std::unique_ptr<Actor>> made = factory();
    if (!made.ok()) return completion(made.status());
    names_.Register(
        name, options.holding, options.attributes, milliseconds(0),
        [this, weak = std::weak_ptr<bool>(alive_), name,
         completion = std::move(completion)](absl::StatusOr<Registration> held) mutable {
          if (weak.expired()) return;
          if (!held.ok()) return completion(held.status());
          const uint64_t epoch = held->epoch();
          held->token().OnLost([this, &io = io_, weak, name, epoch] {
            asio::post(io, [this, weak, name, epoch] {
              if (!weak.expired()) Drop(name, epoch);
            });
          });
          running_[name].held = *std::move(held);
          completion(epoch);
        });
  }
  void MarkDraining(const Name& name, uint64_t) override {
    const auto found = running_.find(name);
    if (found == running_.end()) return;
    Attributes attributes = found->second.held.entry().attributes;
    attributes[kDraining] = "true";
    found->second.held.Update(std::move(attributes), milliseconds(0), [](const absl::Status&) {});
  }
  void StopActor(const Name& name, uint64_t epoch, StopMode mode,
                 Completion<absl::Status> completion) override {
    const auto found = running_.find(name);
    if (found == running_.end() || (epoch != 0 && found->second.held.epoch() != epoch)) {
      return completion(absl::NotFoundError(name.text() + " is not here"));
    }
    Running& running = found->second;
    running.waiting.push_back(std::move(completion));
    if (mode == StopMode::kKill) return Drop(name, running.held.epoch());
    running.timer = std::make_unique<LoopTimer>(
        io_, *clock_, [this, name, epoch = running.held.epoch()] { Drop(name, epoch); });
    running.timer->Set(clock_->Now() + queue);
  }

  // Valid tokens only.
  std::set<std::string> Held() const {
    std::set<std::string> names;
    for (const auto& [name, running] : running_) {
      if (running.held.token().valid()) names.insert(name.text());
    }
    return names;
  }
  Attributes AttributesOf(std::string_view name) {
    return running_[*Name::Parse(name)].held.entry().attributes;
  }
  void Crash(std::string_view name) {
    const Name parsed = *Name::Parse(name);
    Drop(parsed, running_[parsed].held.epoch());
  }

  Duration queue{0};  // how long an actor takes to finish what waits for it

 private:
  struct Running {
    Registration held;
    std::vector<Completion<absl::Status>> waiting;
    std::unique_ptr<LoopTimer> timer;
  };

  void Drop(const Name& name, uint64_t epoch) {
    const auto found = running_.find(name);
    if (found == running_.end() || found->second.held.epoch() != epoch) return;
    Running running = std::move(found->second);
    running_.erase(found);
    for (auto& completion : running.waiting) completion(absl::OkStatus());
  }

  asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  Directory& names_;
  const std::string self_;
  std::map<Name, Running> running_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>();
};

class KindWorld : public ::testing::Test {
 protected:
  static constexpr seconds kLease{15};

  struct Process;

  // Reaches the processes of the world, unless told otherwise.
  class Caller final : public internal::MemberCaller {
   public:
    explicit Caller(KindWorld& world, std::string self) : world_(world), self_(std::move(self)) {}

    void Start(const std::string& member, const internal::StartMessage& message, milliseconds,
               Completion<absl::StatusOr<internal::StartAnswer>> completion) override {
      asked += (asked.empty() ? "" : " ") + member;
      KindHost* const host = Reach(member, completion);
      if (host == nullptr) return;
      auto arguments = internal::FromMessage(message);
      ASSERT_TRUE(arguments.ok()) << arguments.status();
      arguments->caller.host = self_;
      host->Start(*std::move(arguments),
                  Completion<internal::StartAnswer>(
                      [lose = world_.lose_answers_,
                       completion = std::move(completion)](internal::StartAnswer answer) mutable {
                        if (!lose) return completion(std::move(answer));
                        completion(DisconnectedError("lost", Delivery::kMaybeExecuted));
                      }));
    }
    void Stop(const std::string& member, const internal::StopMessage& message, milliseconds,
              Completion<absl::StatusOr<internal::StopAnswer>> completion) override {
      KindHost* const host = Reach(member, completion);
      if (host == nullptr) return;
      host->Stop(message,
                 Completion<internal::StopAnswer>(
                     [completion = std::move(completion)](internal::StopAnswer answer) mutable {
                       completion(std::move(answer));
                     }));
    }

    std::string asked;  // members of starts, in order

   private:
    template <typename Result>
    KindHost* Reach(const std::string& member, Completion<Result>& completion) {
      const auto found = world_.processes_.find(member);
      if (found != world_.processes_.end() && !world_.cut_.contains(member)) {
        return found->second->kinds.get();
      }
      completion(DisconnectedError(member, Delivery::kNotSent));
      return nullptr;
    }

    KindWorld& world_;
    const std::string self_;
  };

  struct Process {
    std::unique_ptr<Directory> names;
    std::unique_ptr<Membership> members;
    std::unique_ptr<FakeActors> actors;
    std::unique_ptr<KindHost> kinds;
    std::shared_ptr<Caller> caller;
    std::unique_ptr<KindStarter> starter;
    std::unique_ptr<Patrol> patrol;

    ~Process() {
      patrol.reset();
      starter.reset();
      caller.reset();
      kinds.reset();
      actors.reset();
    }
  };

  ~KindWorld() override {
    processes_.clear();
    testing::Drain(io_);
  }

  static Name N(std::string_view text) { return *Name::Parse(text); }
  static Kind MakeKind(std::string_view path) {
    return {.path = *Path::Parse(path), .factory = [](const StartArguments&) {
              return absl::StatusOr<std::unique_ptr<Actor>>(std::unique_ptr<Actor>());
            }};
  }

  Process& Start(const std::string& name, std::vector<Kind> kinds, bool client = false,
                 Attributes attributes = {}) {
    table_.SetReachable(name, true);
    auto process = std::make_unique<Process>();
    DirectoryOptions options;
    options.io = &io_;
    options.member = name;
    options.client = client;
    options.lease = kLease;
    options.clock = clock_;
    options.log = NullLog();
    options.seed = ++starts_;
    auto names = table_.Join(options);
    EXPECT_TRUE(names.ok()) << names.status();
    process->names = *std::move(names);
    KindTable table;
    for (Kind& kind : kinds) EXPECT_TRUE(table.Add(std::move(kind)).ok());
    if (!client) attributes[Member::kKinds] = table.Paths();
    auto members = MakeDirectoryMembership(*process->names, {.io = &io_,
                                                             .member = name,
                                                             .client = client,
                                                             .attributes = std::move(attributes),
                                                             .clock = clock_,
                                                             .log = NullLog(),
                                                             .seed = starts_});
    EXPECT_TRUE(members.ok()) << members.status();
    process->members = *std::move(members);
    process->actors = std::make_unique<FakeActors>(io_, clock_, *process->names, name);
    process->kinds = std::make_unique<KindHost>(
        std::move(table), *process->actors,
        KindHostOptions{.io = &io_, .max_under_way = 100, .clock = clock_, .log = NullLog()});
    process->caller = std::make_shared<Caller>(*this, name);
    process->starter = std::make_unique<KindStarter>(
        *process->names, *process->members, process->caller,
        KindStarterOptions{
            .io = &io_, .host = process->kinds.get(), .clock = clock_, .seed = starts_});
    processes_[name] = std::move(process);
    return *processes_[name];
  }
  // Without a word: nothing reaches the directory any more.
  void Kill(const std::string& name) {
    table_.SetReachable(name, false);
    processes_.erase(name);
    testing::Drain(io_);
  }
  Process& At(const std::string& name) { return *processes_.at(name); }

  void Run(Duration duration) { testing::RunFor(io_, *clock_, duration); }
  bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) {
    return testing::RunUntil(io_, *clock_, predicate, limit);
  }

  absl::StatusOr<StartResult> StartActor(const std::string& at, StartRequest request) {
    testing::Probe<absl::StatusOr<StartResult>> done("Start");
    At(at).starter->Start(std::move(request), done.Handler());
    RunUntil([&] { return done.done(); }, std::chrono::minutes(3));
    return done.done() ? std::move(done.value()) : absl::InternalError("never completed");
  }
  absl::StatusOr<StopResult> StopActor(const std::string& at, StopRequest request) {
    testing::Probe<absl::StatusOr<StopResult>> done("Stop");
    At(at).starter->Stop(std::move(request), done.Handler());
    RunUntil([&] { return done.done(); }, std::chrono::minutes(3));
    return done.done() ? std::move(done.value()) : absl::InternalError("never completed");
  }
  // Which names are held, with a valid token, by whom: "shop/a/0@http://a".
  std::set<std::string> Held() {
    std::set<std::string> held;
    for (const auto& [name, process] : processes_) {
      for (const std::string& actor : process->actors->Held()) held.insert(actor + "@" + name);
    }
    return held;
  }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  asio::io_context io_;
  LocalDirectory table_{{.io = &io_, .lease = kLease, .clock = clock_}};
  std::map<std::string, std::unique_ptr<Process>> processes_;
  std::set<std::string> cut_;  // members that starts do not reach
  bool lose_answers_ = false;  // of starts
  uint64_t starts_ = 0;
};

}  // namespace grid

#endif  // GRID_TESTS_UNIT_ACTOR_KIND_WORLD_H_
