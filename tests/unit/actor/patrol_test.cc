#include "grid/actor/patrol.h"

#include <gtest/gtest.h>

#include <optional>

#include "grid/testing/capture_log.h"
#include "grid/testing/random.h"
#include "tests/unit/actor/kind_world.h"

namespace grid {
namespace {

class PatrolTest : public KindWorld {
 protected:
  static constexpr seconds kPeriod{1};
  // When what a dead process held must be there again.
  static constexpr Duration kHealed = kLease + kPeriod + milliseconds(100);

  Activation::CountFunction Count(size_t count) { return Activation::Count(count).count(); }

  void StartPatrol(Process& process, std::string_view path, Activation::CountFunction count,
                   std::shared_ptr<LogSink> log = NullLog()) {
    PatrolOptions options{.io = &io_, .path = *Path::Parse(path), .count = std::move(count)};
    options.period = kPeriod;
    options.clock = clock_;
    options.log = std::move(log);
    options.seed = ++starts_;
    auto patrol = Patrol::Make(*process.names, *process.members, *process.starter, options);
    ASSERT_TRUE(patrol.ok()) << patrol.status();
    process.patrol = *std::move(patrol);
  }
  // A process with the kind shop/worker and a patrol of it.
  void Add(const std::string& name, size_t count = 3) {
    StartPatrol(Start(name, {MakeKind("shop/worker")}), "shop/worker", Count(count));
  }
  void Restart(const std::string& name, size_t count = 3) {
    Kill(name);
    Add(name, count);
  }
  // Who acts.
  std::vector<std::string> Acting() {
    std::vector<std::string> acting;
    for (const auto& [name, process] : processes_) {
      if (process->patrol != nullptr && process->patrol->acting()) acting.push_back(name);
    }
    return acting;
  }
  // The names of Held, without their holders.
  std::multiset<std::string> Names() {
    std::multiset<std::string> names;
    for (const std::string& held : Held()) names.insert(held.substr(0, held.find('@')));
    return names;
  }
  static std::multiset<std::string> Workers(size_t count) {
    std::multiset<std::string> names;
    for (size_t i = 0; i < count; ++i) names.insert("shop/worker/" + std::to_string(i));
    return names;
  }
  // Time passes in small steps; at none of them two act, or two hold one name.
  void RunChecked(Duration duration) {
    for (const TimePoint end = clock_->Now() + duration; clock_->Now() < end;) {
      Run(milliseconds(20));
      ASSERT_LE(Acting().size(), 1u);
      const std::multiset<std::string> names = Names();
      for (const std::string& name : names) ASSERT_EQ(names.count(name), 1u) << name;
    }
  }
};

TEST_F(PatrolTest, Patrol_StartsWhatIsMissing) {
  for (const char* name : {"a", "b", "c"}) Add(name, 6);
  RunChecked(seconds(3));
  EXPECT_EQ(Names(), Workers(6));
  ASSERT_EQ(Acting().size(), 1u);
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(At(name).actors->Held().size(), 2u) << name;
  const PatrolStats stats = At(Acting()[0]).patrol->Stats();
  EXPECT_EQ(stats.desired, 6u);
  EXPECT_EQ(stats.running, 6u);
  EXPECT_EQ(stats.started, 6u);
  EXPECT_EQ(stats.terms, 1u);

  // One that ends by itself is there again with the next change that is seen.
  for (const std::string& held : At("b").actors->Held()) At("b").actors->Crash(held);
  RunChecked(seconds(1));
  EXPECT_EQ(Names(), Workers(6));
}

TEST_F(PatrolTest, Patrol_DrainsWhatIsTooMany) {
  for (const char* name : {"a", "b"}) Add(name, 4);
  RunChecked(seconds(3));
  for (const char* name : {"a", "b"}) At(name).actors->queue = seconds(10);
  for (const char* name : {"a", "b"}) At(name).patrol->SetCount(Count(1));
  RunChecked(seconds(2));
  EXPECT_EQ(Names(), Workers(4)) << "they finish what waits for them";
  for (const auto& [name, process] : processes_) {
    for (const std::string& held : process->actors->Held()) {
      EXPECT_EQ(process->actors->AttributesOf(held).contains(kDraining), held != "shop/worker/0");
    }
  }
  RunChecked(seconds(10));
  EXPECT_EQ(Names(), Workers(1));
  EXPECT_EQ(At(Acting()[0]).patrol->Stats().stopped, 3u);
  for (const char* name : {"a", "b"}) At(name).patrol->SetCount(Count(2));
  RunChecked(seconds(2));
  EXPECT_EQ(Names(), Workers(2));
}

TEST_F(PatrolTest, Patrol_KillsWhatDoesNotStopWithinTheDrainLimit) {
  Add("a", 1);
  RunChecked(seconds(3));
  At("a").actors->queue = std::chrono::hours(1);
  At("a").patrol->SetCount(Count(0));
  RunChecked(seconds(29));
  EXPECT_EQ(Names(), Workers(1));
  RunChecked(seconds(3));
  EXPECT_EQ(Names(), Workers(0));
  EXPECT_EQ(At("a").patrol->Stats().killed, 1u);
}

TEST_F(PatrolTest, Patrol_CountsByAFunctionOfTheMembers) {
  const auto two_each = [](const MembershipView& view) {
    size_t up = 0;
    for (const Member& member : view.members) up += member.state == MemberState::kUp;
    return 2 * up;
  };
  for (const char* name : {"a", "b"}) {
    StartPatrol(Start(name, {MakeKind("shop/worker")}), "shop/worker", two_each);
  }
  RunChecked(seconds(3));
  EXPECT_EQ(Names(), Workers(4));
  StartPatrol(Start("c", {MakeKind("shop/worker")}), "shop/worker", two_each);
  RunChecked(seconds(3));
  EXPECT_EQ(Names(), Workers(6));
  EXPECT_EQ(At("c").actors->Held().size(), 2u);
  Kill("c");
  RunChecked(kHealed + seconds(2));
  EXPECT_EQ(Names(), Workers(4));
}

TEST_F(PatrolTest, ItsHolderDies_AnotherOneActs_AndAllIsHealedWithinLeaseAndPeriod) {
  for (const char* name : {"a", "b", "c"}) Add(name, 6);
  RunChecked(seconds(3));
  const std::string first = Acting()[0];
  Kill(first);
  RunChecked(kHealed);
  ASSERT_EQ(Acting().size(), 1u);
  EXPECT_NE(Acting()[0], first);
  EXPECT_EQ(Names(), Workers(6));
  Add(first, 6);
  RunChecked(seconds(5));
  EXPECT_NE(Acting()[0], first) << "who acts goes on";
  EXPECT_EQ(Names(), Workers(6));
}

TEST_F(PatrolTest, ItsHolderIsCutOff_ItStopsActingBeforeTheNextBegins) {
  for (const char* name : {"a", "b", "c"}) Add(name, 3);
  RunChecked(seconds(3));
  const std::string first = Acting()[0];
  table_.SetReachable(first, false);
  RunChecked(kHealed);
  ASSERT_EQ(Acting().size(), 1u);
  EXPECT_NE(Acting()[0], first);
  EXPECT_EQ(Names(), Workers(3));
  EXPECT_EQ(At(first).patrol->Stats().lost, 1u);
  table_.SetReachable(first, true);
  RunChecked(seconds(30));
  EXPECT_NE(Acting()[0], first);
  EXPECT_EQ(Names(), Workers(3));
}

TEST_F(PatrolTest, Stop_HandsOverAtOnce) {
  for (const char* name : {"a", "b"}) Add(name, 3);
  RunChecked(seconds(3));
  const std::string first = Acting()[0];
  testing::Probe<absl::Status> stopped("Stop");
  At(first).patrol->Stop(stopped.Handler());
  RunChecked(milliseconds(100));
  ASSERT_TRUE(stopped.done());
  EXPECT_TRUE(stopped.value().ok()) << stopped.value();
  ASSERT_EQ(Acting().size(), 1u);
  EXPECT_NE(Acting()[0], first);
  EXPECT_EQ(Names(), Workers(3)) << "what runs, runs on";
}

// The leader: a singleton is a count of 1 over an exclusive name.
TEST_F(PatrolTest, Leader_OneAtATime_AndItsTokenEndsBeforeTheNextBegins) {
  for (const char* name : {"a", "b", "c"}) {
    StartPatrol(Start(name, {MakeKind("shop/leader")}), "shop/leader", Count(1));
  }
  RunChecked(seconds(3));
  ASSERT_EQ(Names(), (std::multiset<std::string>{"shop/leader/0"}));
  for (int round = 0; round < 4; ++round) {
    const std::string held = *Held().begin();
    const std::string leader = held.substr(held.find('@') + 1);
    if (round % 2 == 0) {
      table_.SetReachable(leader, false);  // it lives on, and does not hear of anything
    } else {
      Kill(leader);
    }
    RunChecked(kHealed);  // RunChecked sees that there are never two
    ASSERT_EQ(Names(), (std::multiset<std::string>{"shop/leader/0"})) << round;
    EXPECT_NE(*Held().begin(), held);
    if (round % 2 == 0) {
      table_.SetReachable(leader, true);
    } else {
      StartPatrol(Start(leader, {MakeKind("shop/leader")}), "shop/leader", Count(1));
    }
    RunChecked(seconds(5));
  }
}

TEST_F(PatrolTest, Singleton_SurvivesTheDeathOfItsActor) {
  StartPatrol(Start("a", {MakeKind("shop/leader")}), "shop/leader", Count(1));
  RunChecked(seconds(3));
  At("a").actors->Crash("shop/leader/0");
  RunChecked(seconds(1));
  EXPECT_EQ(Held(), (std::set<std::string>{"shop/leader/0@a"}));
}

TEST_F(PatrolTest, WhatDoesNotStartIsTriedAgainAfterAPause) {
  Kind kind = MakeKind("shop/worker");
  int attempts = 0;
  bool broken = true;
  kind.factory = [&](const StartArguments&) {
    ++attempts;
    if (broken) return absl::StatusOr<std::unique_ptr<Actor>>(absl::DataLossError("broken"));
    return absl::StatusOr<std::unique_ptr<Actor>>(std::unique_ptr<Actor>());
  };
  StartPatrol(Start("a", {kind}), "shop/worker", Count(1));
  RunChecked(seconds(120));
  EXPECT_GE(attempts, 5);
  EXPECT_LE(attempts, 12) << "pauses grow";
  EXPECT_EQ(At("a").patrol->Stats().start_failures, static_cast<uint64_t>(attempts));
  broken = false;
  RunChecked(seconds(32));
  EXPECT_EQ(Names(), Workers(1));
}

TEST_F(PatrolTest, ABadCountChangesNothing) {
  Add("a", 3);
  RunChecked(seconds(3));
  At("a").patrol->SetCount(Count(1'000'000));
  RunChecked(seconds(3));
  EXPECT_EQ(Names(), Workers(3));
  At("a").patrol->SetCount([](const MembershipView&) -> size_t { throw std::runtime_error("x"); });
  RunChecked(seconds(3));
  EXPECT_EQ(Names(), Workers(3));
  EXPECT_GT(At("a").patrol->Stats().count_errors, 4u);
  EXPECT_EQ(At("a").patrol->Stats().desired, 3u);
}

TEST_F(PatrolTest, ABadFirstCountStopsNobody) {
  Add("a", 3);
  RunChecked(seconds(3));
  testing::Probe<absl::Status> stopped("Stop");
  At("a").patrol->Stop(stopped.Handler());
  StartPatrol(Start("b", {}), "shop/worker",
              [](const MembershipView&) -> size_t { throw std::runtime_error("x"); });
  RunChecked(seconds(3));
  EXPECT_EQ(Acting(), (std::vector<std::string>{"b"}));
  EXPECT_EQ(Names(), Workers(3));
}

TEST_F(PatrolTest, WhoWaitsSaysForWhom) {
  Add("a");
  RunChecked(seconds(1));
  const auto log = std::make_shared<testing::CaptureLog>(clock_);
  StartPatrol(Start("b", {}), "shop/worker", Count(3), log);
  RunChecked(seconds(10));
  EXPECT_EQ(log->Count("it is a who acts"), 1u) << log->Text();
  Kill("a");
  RunChecked(kHealed);
  EXPECT_EQ(Acting(), (std::vector<std::string>{"b"}));
  EXPECT_EQ(log->Count("it is us who act"), 1u) << log->Text();
  EXPECT_EQ(log->Count("who acts"), 1u) << log->Text();
}

TEST_F(PatrolTest, ManyAtOnceAreBoundedAndSpread) {
  for (const char* name : {"a", "b", "c", "d"}) Add(name, 200);
  RunChecked(seconds(5));
  EXPECT_EQ(Names(), Workers(200));
  for (const char* name : {"a", "b", "c", "d"}) {
    EXPECT_NEAR(At(name).actors->Held().size(), 50, 2) << name;
  }
}

TEST_F(PatrolTest, BadOptionsAreNamed) {
  Process& a = Start("a", {});
  const auto refused = [&](std::function<void(PatrolOptions&)> change) {
    PatrolOptions options{.io = &io_, .path = *Path::Parse("a/b"), .count = Count(1)};
    change(options);
    return std::string(Patrol::Make(*a.names, *a.members, *a.starter, options).status().message());
  };
  EXPECT_EQ(refused([](PatrolOptions& o) { o.io = nullptr; }), "PatrolOptions::io must be set");
  EXPECT_EQ(refused([](PatrolOptions& o) { o.count = nullptr; }),
            "PatrolOptions::count must be set");
  EXPECT_EQ(refused([](PatrolOptions& o) { o.period = milliseconds(0); }),
            "PatrolOptions::period must be 1 ms to a day");
  EXPECT_EQ(refused([](PatrolOptions& o) { o.max_under_way = 0; }),
            "PatrolOptions::max_under_way must be at least 1");
  EXPECT_NE(refused([](PatrolOptions& o) { o.start.attempts = 0; }), "");
  EXPECT_EQ(refused([](PatrolOptions&) {}), "");
}

// Processes die, are cut off and come back, counts change: never two act, never two hold a name,
// and once it is quiet all is as it should be within lease + period.
TEST_F(PatrolTest, RandomFaults_NeverTwoActing_AlwaysHealed) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::Random random(seed);
    const std::vector<std::string> names = {"a", "b", "c", "d"};
    for (const std::string& name : names) Add(name, 8);
    std::set<std::string> dead;
    size_t count = 8;
    for (int step = 0; step < 40; ++step) {
      const std::string& name = names[random.Below(names.size())];
      switch (random.Below(4)) {
        case 0:
          if (dead.insert(name).second) Kill(name);
          break;
        case 1:
          if (!dead.contains(name)) table_.SetReachable(name, false);
          break;
        case 2:
          if (!dead.contains(name)) table_.SetReachable(name, true);
          if (dead.erase(name) > 0) Add(name, count);
          break;
        case 3:
          count = random.Below(12);
          for (const auto& [other, process] : processes_) process->patrol->SetCount(Count(count));
          break;
      }
      ASSERT_NO_FATAL_FAILURE(RunChecked(milliseconds(random.Below(8000))));
    }
    for (const std::string& name : names) {
      if (dead.contains(name)) {
        Add(name, count);
      } else {
        table_.SetReachable(name, true);
      }
    }
    ASSERT_NO_FATAL_FAILURE(RunChecked(kHealed + seconds(1)));
    EXPECT_EQ(Names(), Workers(count));
    processes_.clear();
    RunChecked(kLease + seconds(1));
  }
}

}  // namespace
}  // namespace grid
