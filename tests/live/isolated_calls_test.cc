// Actors in processes of their own that call others: two members in this process, of which the
// first serves the directory, and workers that the second one starts.
#include <gtest/gtest.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/isolated_processes.h"
#include "grid/actor/kind_host.h"
#include "grid/directory/hosted_directory.h"
#include "grid/manager.h"
#include "tests/live/embedding_kit.h"
#include "tests/live/ending_thread.h"
#include "tests/live/isolated_kinds.h"
#include "tests/live/own_address.h"

namespace grid::live {
namespace {

using internal::StartAnswer;
using std::chrono::seconds;

constexpr char kHost[] = GRID_BIN_DIR "/isolated_host";
constexpr char kToken[] = "secret";

// What the target has heard.
struct Heard {
  std::mutex mutex;
  std::vector<std::string> texts;
};

// Answers who has sent what.
class Target final : public Actor {
 public:
  explicit Target(std::shared_ptr<Heard> heard) {
    On(kEcho,
       [heard](const std::string& text, ActorContext& context) -> absl::StatusOr<std::string> {
         const Sender& sender = context.sender();
         const std::string who = sender.actor.has_value() ? sender.actor->text() : "nobody";
         std::lock_guard lock(heard->mutex);
         heard->texts.push_back(text);
         return absl::StrCat(who, sender.process.is_client ? " in client " : " in member ",
                             sender.process.host);
       });
  }
};

class Member {
 public:
  Member(const std::vector<std::string>& hosts, size_t number, const std::string& program = "",
         IsolatedSettings settings = {}) {
    manager_.emplace(NodeOptions(hosts[number], kToken));
    for (const std::string& host : hosts) {
      if (host == hosts[number]) continue;
      EXPECT_TRUE(manager_->AddPeer(host).ok());
    }
    DirectoryOptions directory;
    directory.io = &thread_.io();
    directory.log = NullLog();
    auto names = MakeHostedDirectory(*manager_, hosts, std::move(directory));
    EXPECT_TRUE(names.ok()) << names.status();
    names_ = *std::move(names);
    auto actors = ActorSystem::Make(*manager_, *names_.directory,
                                    {.io = &thread_.io(), .threads = 1, .log = NullLog()});
    EXPECT_TRUE(actors.ok()) << actors.status();
    actors_ = *std::move(actors);
    if (!program.empty()) {
      processes_.emplace(IsolatedProcessesOptions{.io = &thread_.io(),
                                                  .program = program,
                                                  .settings = std::move(settings),
                                                  .log = NullLog()});
      kinds_.emplace(
          IsolatedKinds(), *actors_,
          KindHostOptions{.io = &thread_.io(), .isolate = processes_->isolate(), .log = NullLog()});
    }
    EXPECT_TRUE(manager_->Start().ok());
    EXPECT_TRUE(manager_->Listen(hosts[number].substr(7)).ok());
    EXPECT_TRUE(names_.directory->WaitReady(seconds(20), asio::use_future).get().ok());
  }
  // As if it had died. On the thread that hears the processes: what ends does not wait for it.
  ~Member() {
    manager_->Stop();
    std::promise<void> ended;
    asio::post(thread_.io(), [&] {
      kinds_.reset();
      actors_.reset();
      processes_.reset();
      names_ = {};
      ended.set_value();
    });
    ended.get_future().wait();
    // What they have posted, and what that posts.
    thread_.RunOut();
  }

  ActorSystem& actors() { return *actors_; }
  Manager& manager() { return *manager_; }
  const IsolatedProcesses& processes() const { return *processes_; }

  StartAnswer StartWorker(const std::string& key) {
    std::promise<StartAnswer> started;
    kinds_->Start(
        {.name = *Name::Parse("test/worker/" + key)},
        Completion<StartAnswer>([&](StartAnswer answer) { started.set_value(std::move(answer)); }));
    return started.get_future().get();
  }
  absl::Status StartTarget(const std::shared_ptr<Heard>& heard) {
    return actors_
        ->Start(
            *Name::Parse("test/target/1"), [heard] { return std::make_unique<Target>(heard); }, {},
            asio::use_future)
        .get()
        .status();
  }
  // From here to a worker, wherever it runs.
  template <typename Resp>
  absl::StatusOr<Resp> Ask(const std::string& key, const MessageType<std::string, Resp>& type,
                           const std::string& text = "") {
    const Recipients to =
        actors_->To(Selector::Of({*Name::Parse("test/worker/" + key)}), {}, Within(seconds(20)));
    const absl::StatusOr<Answer<Resp>> answer = to.Call(type, text, asio::use_future).get();
    if (!answer.ok()) return answer.status();
    return answer->value;
  }

 private:
  EndingThread thread_;
  std::optional<Manager> manager_;
  HostedDirectory names_;
  std::unique_ptr<ActorSystem> actors_;
  std::optional<IsolatedProcesses> processes_;
  std::optional<KindHost> kinds_;
};

bool Exists(int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0; }

class IsolatedCallsTest : public ::testing::Test {
 protected:
  void Make() { Make({{"host", hosts_[0]}, {"token", kToken}}); }
  void Make(IsolatedSettings settings) {
    first_.emplace(hosts_, 0);
    second_.emplace(hosts_, 1, kHost, std::move(settings));
  }

  const std::vector<std::string> hosts_ = {OwnHost(0), OwnHost(1)};
  const std::shared_ptr<Heard> heard_ = std::make_shared<Heard>();
  std::optional<Member> first_, second_;
};

TEST_F(IsolatedCallsTest, AWorkerCallsAndSendsToAnotherMember) {
  Make();
  ASSERT_TRUE(first_->StartTarget(heard_).ok());
  const StartAnswer started = second_->StartWorker("1");
  ASSERT_EQ(started.what, StartAnswer::kStarted) << started.text;

  const absl::StatusOr<std::string> answer = second_->Ask("1", kCallOn, "test/target");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, absl::StrCat("test/worker/1 in client test/worker/1@", started.epoch));
  const absl::StatusOr<NoPayload> sent = second_->Ask("1", kSendOn, "test/target/1");
  EXPECT_TRUE(sent.ok()) << sent.status();
  std::lock_guard lock(heard_->mutex);
  EXPECT_EQ(heard_->texts, (std::vector<std::string>{"test/target", "test/target/1"}));
}

TEST_F(IsolatedCallsTest, WorkersCallAtTheSameTime_UnderNamesOfTheirOwn) {
  Make();
  ASSERT_TRUE(first_->StartTarget(heard_).ok());
  for (const char* key : {"1", "2"}) {
    ASSERT_EQ(second_->StartWorker(key).what, StartAnswer::kStarted);
  }
  for (const char* key : {"1", "2", "1"}) {
    EXPECT_TRUE(second_->Ask(key, kCallOn, "test/target").ok());
  }
  EXPECT_EQ(first_->manager().Stats().clients, 2u);
}

TEST_F(IsolatedCallsTest, NobodyThereIsAnError_AndTheWorkerGoesOn) {
  Make();
  ASSERT_TRUE(first_->StartTarget(heard_).ok());
  ASSERT_EQ(second_->StartWorker("1").what, StartAnswer::kStarted);
  const int64_t pid = *second_->Ask("1", kPid);
  const absl::Status nobody = second_->Ask("1", kCallOn, "test/nobody").status();
  EXPECT_EQ(nobody.code(), absl::StatusCode::kNotFound) << nobody;
  const absl::Status unsent = second_->Ask("1", kSendOn, "test/nobody").status();
  EXPECT_EQ(unsent.code(), absl::StatusCode::kNotFound) << unsent;

  // The only member that it knows, with the directory.
  EXPECT_TRUE(second_->Ask("1", kCallOn, "test/target").ok());
  first_.reset();
  EXPECT_FALSE(second_->Ask("1", kCallOn, "test/target").ok());
  EXPECT_EQ(*second_->Ask("1", kPid), pid);
}

TEST_F(IsolatedCallsTest, AWorkerThatStopsLeavesNothing) {
  Make();
  ASSERT_TRUE(first_->StartTarget(heard_).ok());
  ASSERT_EQ(second_->StartWorker("1").what, StartAnswer::kStarted);
  const int64_t pid = *second_->Ask("1", kPid);
  ASSERT_TRUE(second_->Ask("1", kCallOn, "test/target").ok());
  EXPECT_TRUE(second_->actors().Stop(asio::use_future).get().ok());
  EXPECT_FALSE(Exists(pid));
  EXPECT_EQ(second_->processes().Stats().running, 0u);
  EXPECT_EQ(second_->processes().Stats().killed, 0u);
  for (int i = 0; i < 1000 && first_->manager().Stats().clients > 0; ++i) usleep(10'000);
  EXPECT_EQ(first_->manager().Stats().clients, 0u);
}

TEST_F(IsolatedCallsTest, TheEndOfItsHostWaitsForNoWorker) {
  Make();
  ASSERT_EQ(second_->StartWorker("1").what, StartAnswer::kStarted);
  const int64_t pid = *second_->Ask("1", kPid);
  second_.reset();
  for (int i = 0; i < 1000 && Exists(pid); ++i) usleep(10'000);
  EXPECT_FALSE(Exists(pid));
}

TEST_F(IsolatedCallsTest, WithoutItsClientAWorkerDoesNotStart) {
  Make({{"error", "no token for you"}});
  const StartAnswer refused = second_->StartWorker("1");
  EXPECT_EQ(refused.what, StartAnswer::kFailed);
  EXPECT_EQ(refused.code, static_cast<int>(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(refused.text, "the client of the actor's process: no token for you");
  second_.reset();
  second_.emplace(hosts_, 1, kHost, IsolatedSettings{{"host", "nowhere"}, {"token", kToken}});
  const StartAnswer unmade = second_->StartWorker("1");
  EXPECT_EQ(unmade.code, static_cast<int>(absl::StatusCode::kInvalidArgument)) << unmade.text;
  second_.reset();
  second_.emplace(hosts_, 1, kHost, IsolatedSettings{{"host", hosts_[0]}});
  const StartAnswer thrown = second_->StartWorker("1");
  EXPECT_EQ(thrown.code, static_cast<int>(absl::StatusCode::kInternal)) << thrown.text;
}

}  // namespace
}  // namespace grid::live
