// The contract of a directory: what each backend must do, as tests. Each kind of tests includes
// this once and says how to make a World of its backend:
//
//   INSTANTIATE_TEST_SUITE_P(Local, DirectoryContract, ::testing::Values(&MakeLocalWorld));
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_H_

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_options.h"
#include "grid/testing/probe.h"

namespace grid {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A directory and three members of it. Time passes inside RunFor and RunUntil only.
class World {
 public:
  static constexpr int kMembers = 3;

  virtual ~World() = default;
  virtual Directory& At(int member) = 0;
  virtual std::string MemberName(int member) = 0;
  // The process dies without a word; Start begins another one under the same name.
  virtual void Kill(int member) = 0;
  virtual void Start(int member) = 0;
  // The member can't reach the directory, and can again.
  virtual void Cut(int member) = 0;
  virtual void Heal(int member) = 0;
  // Who keeps the directory dies without a word, and comes back.
  virtual void KillServer() = 0;
  virtual void StartServer() = 0;
  virtual bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) = 0;
  virtual TimePoint Now() = 0;
  virtual milliseconds Lease() = 0;

  void RunFor(Duration duration) {
    RunUntil([] { return false; }, duration);
  }
};

struct WorldOptions {
  milliseconds lease{15'000};
  std::function<void(int member, DirectoryOptions&)> adjust = [](int, DirectoryOptions&) {};
};
using WorldFactory = std::unique_ptr<World> (*)(WorldOptions);

class DirectoryContract : public ::testing::TestWithParam<WorldFactory> {
 protected:
  using Held = absl::StatusOr<Registration>;

  void Make(WorldOptions options = {}) {
    world_ = GetParam()(std::move(options));
    for (int member = 0; member < World::kMembers; ++member) Ready(member);
  }
  void Ready(int member) {
    testing::Probe<absl::Status> ready("WaitReady");
    At(member).WaitReady(seconds(60), ready.Handler());
    ASSERT_TRUE(world().RunUntil([&] { return ready.done(); }, seconds(90)));
    ASSERT_TRUE(ready.value().ok()) << member << ": " << ready.value();
  }
  World& world() { return *world_; }
  Directory& At(int member) { return world_->At(member); }
  Duration lease() const { return world_->Lease(); }

  static Name N(std::string_view text) { return *Name::Parse(text); }
  static Selector Under(std::string_view path) { return Selector::Under(*Path::Parse(path)); }
  static Selector Only(std::string_view name) { return Selector::Of({N(name)}); }

  Held Register(int member, std::string_view name, Holding holding = Holding::kExclusive,
                Attributes attributes = {}, milliseconds timeout = milliseconds(0)) {
    testing::Probe<Held> held("Register");
    At(member).Register(N(name), holding, std::move(attributes), timeout, held.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return held.done(); }, std::chrono::minutes(2)));
    return held.done() ? std::move(held.value()) : Held(absl::InternalError("never completed"));
  }
  absl::Status Release(Registration& registration) {
    testing::Probe<absl::Status> released("Release");
    registration.Release(released.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return released.done(); }, std::chrono::minutes(2)));
    return released.done() ? released.value() : absl::InternalError("never completed");
  }
  absl::Status Update(Registration& registration, Attributes attributes) {
    testing::Probe<absl::Status> updated("Update");
    registration.Update(std::move(attributes), milliseconds(0), updated.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return updated.done(); }, std::chrono::minutes(2)));
    return updated.done() ? updated.value() : absl::InternalError("never completed");
  }
  absl::StatusOr<Resolution> Resolve(int member, Selector selector,
                                     milliseconds timeout = milliseconds(0)) {
    testing::Probe<absl::StatusOr<Resolution>> found("Resolve");
    At(member).Resolve(std::move(selector), timeout, found.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return found.done(); }, std::chrono::minutes(2)));
    return found.done() ? std::move(found.value()) : absl::InternalError("never completed");
  }
  // "a/b/c a/b/d", or the error.
  std::string Names(int member, Selector selector) {
    const absl::StatusOr<Resolution> found = Resolve(member, std::move(selector));
    return found.ok() ? Text(found->entries) : found.status().ToString();
  }
  static std::string Text(const std::vector<Entry>& entries) {
    std::string text;
    for (const Entry& entry : entries) text += (text.empty() ? "" : " ") + entry.name.text();
    return text;
  }
  absl::StatusOr<WatchEvent> Next(Watcher& watcher, Duration limit = std::chrono::minutes(1)) {
    // Shared with the completion, which comes late when this gives up.
    const auto event = std::make_shared<std::optional<absl::StatusOr<WatchEvent>>>();
    watcher.Next([event](absl::StatusOr<WatchEvent> next) { event->emplace(std::move(next)); });
    if (!world().RunUntil([&] { return event->has_value(); }, limit)) {
      return absl::InternalError("no event");
    }
    return std::move(**event);
  }
  // "snapshot a/b/c", "added a/b/d", ..., or the error.
  std::string NextText(Watcher& watcher) {
    static constexpr const char* kKinds[] = {"snapshot", "added", "changed", "removed",
                                             "resynchronised"};
    const absl::StatusOr<WatchEvent> event = Next(watcher);
    if (!event.ok()) return event.status().ToString();
    const std::string names = Text(event->entries);
    return kKinds[static_cast<int>(event->kind)] + (names.empty() ? names : " " + names);
  }
  Watcher Watch(int member, Selector selector) {
    absl::StatusOr<Watcher> watcher = At(member).Watch(std::move(selector));
    EXPECT_TRUE(watcher.ok()) << watcher.status();
    return watcher.ok() ? *std::move(watcher) : Watcher();
  }

  std::unique_ptr<World> world_;
};

// --- Holding ---

TEST_P(DirectoryContract, ExclusiveMeansOne) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->token().valid());
  for (const Holding holding : {Holding::kExclusive, Holding::kShared}) {
    const Held second = Register(1, "r/k/a", holding);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    const auto holder = HolderOf(second.status());
    ASSERT_TRUE(holder.has_value()) << second.status();
    EXPECT_EQ(holder->member, world().MemberName(0));
    EXPECT_EQ(holder->epoch, first->epoch());
    EXPECT_EQ(holder->incarnation, first->entry().incarnation);
  }
  EXPECT_TRUE(first->token().valid());
  EXPECT_EQ(Names(2, Only("r/k/a")), "r/k/a");
}

TEST_P(DirectoryContract, SharedMeansMany_AlsoOfOneMember) {
  Make();
  std::vector<Registration> held;
  for (const int member : {0, 1, 1}) {
    Held one = Register(member, "r/k/a", Holding::kShared, {{"n", std::to_string(held.size())}});
    ASSERT_TRUE(one.ok()) << one.status();
    held.push_back(*std::move(one));
  }
  EXPECT_EQ(Names(2, Only("r/k/a")), "r/k/a r/k/a r/k/a");
  EXPECT_EQ(Register(2, "r/k/a").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Release(held[1]).ok());
  const absl::StatusOr<Resolution> left = Resolve(2, Only("r/k/a"));
  ASSERT_TRUE(left.ok() && left->entries.size() == 2);
  EXPECT_EQ(left->entries[0].attributes.at("n"), "0");
  EXPECT_EQ(left->entries[1].attributes.at("n"), "2");
}

TEST_P(DirectoryContract, EpochsGrow) {
  Make();
  uint64_t last = 0;
  for (int round = 0; round < 6; ++round) {
    Held held = Register(round % World::kMembers, round % 2 == 0 ? "r/k/a" : "r/k/b");
    ASSERT_TRUE(held.ok()) << held.status();
    EXPECT_GT(held->epoch(), last);
    last = held->epoch();
    EXPECT_TRUE(Release(*held).ok());
  }
}

TEST_P(DirectoryContract, TwoStartersOfOneName_OneWins_TheOtherIsToldWhoHoldsIt) {
  Make();
  testing::Probe<Held> first("first"), second("second");
  At(0).Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0), first.Handler());
  At(1).Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0), second.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return first.done() && second.done(); }, seconds(30)));
  ASSERT_NE(first.value().ok(), second.value().ok());
  const bool first_won = first.value().ok();
  const auto holder = HolderOf((first_won ? second : first).value().status());
  ASSERT_TRUE(holder.has_value());
  EXPECT_EQ(holder->member, world().MemberName(first_won ? 0 : 1));
}

TEST_P(DirectoryContract, DuplicateStartOnTheSameMember_LeavesTheFirstAliveAndRegistered) {
  Make();
  const Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok()) << first.status();
  {
    const Held second = Register(0, "r/k/a");
    ASSERT_TRUE(HolderOf(second.status()).has_value()) << second.status();
    EXPECT_EQ(HolderOf(second.status())->epoch, first->epoch());
  }
  world().RunFor(seconds(1));
  EXPECT_TRUE(first->token().valid());
  EXPECT_EQ(Names(1, Only("r/k/a")), "r/k/a");
}

TEST_P(DirectoryContract, DroppingARegistration_GivesTheNameBackAtOnce) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const LeaseToken token = held->token();
  int lost = 0;
  token.OnLost([&] { ++lost; });
  held = absl::NotFoundError("dropped");
  ASSERT_TRUE(world().RunUntil([&] { return lost == 1; }, seconds(5)));
  EXPECT_FALSE(token.valid());
  const TimePoint dropped = world().Now();
  // The word of it may be on its way.
  while (!Register(1, "r/k/a").ok() && world().Now() - dropped < lease()) {
    world().RunFor(milliseconds(10));
  }
  EXPECT_LT(world().Now() - dropped, lease() / 3);
}

TEST_P(DirectoryContract, DeregisteringNeverRemovesSomebodyElsesEntry) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  world().Cut(0);
  ASSERT_TRUE(world().RunUntil([&] { return !first->token().valid(); }, lease()));
  Held second = Register(1, "r/k/a", Holding::kExclusive, {}, milliseconds(0));
  while (!second.ok() && HolderOf(second.status()).has_value()) {
    world().RunFor(lease() / 10);
    second = Register(1, "r/k/a");
  }
  ASSERT_TRUE(second.ok()) << second.status();
  world().Heal(0);
  Ready(0);
  first = absl::NotFoundError("dropped");
  world().RunFor(lease());
  EXPECT_TRUE(second->token().valid());
  EXPECT_EQ(Names(2, Only("r/k/a")), "r/k/a");
}

TEST_P(DirectoryContract, Attributes_AreReplacedAndSeen) {
  Make();
  Held held = Register(0, "r/k/a", Holding::kShared, {{"version", "1.0"}});
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(Names(1, Under("r").Where("version", "1.1")), "");
  EXPECT_TRUE(Update(*held, {{"version", "1.1"}, {"odd", std::string("\0\"\xff", 3)}}).ok());
  EXPECT_EQ(held->entry().attributes.at("version"), "1.1");
  const absl::StatusOr<Resolution> found = Resolve(1, Under("r").Where("version", "1.1"));
  ASSERT_TRUE(found.ok() && found->entries.size() == 1);
  EXPECT_EQ(found->entries[0], held->entry());
  EXPECT_EQ(Update(*held, {{"", "x"}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Register(0, "r/k/b", Holding::kShared, {{"", "x"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const LeaseToken token = held->token();
  EXPECT_TRUE(Release(*held).ok());
  EXPECT_EQ(token.why().code(), absl::StatusCode::kCancelled);
}

TEST_P(DirectoryContract, Selectors_MeanWholeSegments_AttributesAndExceptions) {
  Make();
  std::vector<Registration> held;
  for (const char* name : {"r/p/1", "r/p/2", "r/pingers/1", "r/p-q/1", "rr/p/1"}) {
    Held one = Register(0, name, Holding::kShared,
                        {{"last", name[std::strlen(name) - 1] + std::string()}});
    ASSERT_TRUE(one.ok());
    held.push_back(*std::move(one));
  }
  EXPECT_EQ(Names(1, Under("r/p")), "r/p/1 r/p/2");
  EXPECT_EQ(Names(1, Under("r")), "r/p-q/1 r/p/1 r/p/2 r/pingers/1");
  EXPECT_EQ(Names(1, Under("r/p/2")), "r/p/2");
  EXPECT_EQ(Names(1, Under("r").Where("last", "1").Except({N("r/pingers/1")})), "r/p-q/1 r/p/1");
  EXPECT_EQ(Names(1, Selector::Of({N("rr/p/1"), N("r/p/2"), N("none/of/these")})), "r/p/2 rr/p/1");
  EXPECT_EQ(Names(1, Selector()), "");
}

// --- Leases ---

TEST_P(DirectoryContract, LostLease_IsAnEvent_TheTokenFiresAThirdOfTheLeaseEarly) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  const LeaseToken token = first->token();
  const uint64_t epoch = first->epoch(), incarnation = first->entry().incarnation;
  std::optional<TimePoint> fired;
  token.OnLost([&] { fired = world().Now(); });
  world().Cut(0);
  const TimePoint cut = world().Now();
  ASSERT_TRUE(world().RunUntil([&] { return fired.has_value(); }, lease()));
  EXPECT_LE(*fired - cut, lease() * 2 / 3 + milliseconds(100));
  EXPECT_FALSE(token.valid());
  EXPECT_EQ(token.why().code(), absl::StatusCode::kDeadlineExceeded);
  // Nobody else has it for another third.
  EXPECT_TRUE(HolderOf(Register(1, "r/k/a").status()).has_value());
  Held second = absl::UnknownError("");
  while (!(second = Register(1, "r/k/a")).ok()) world().RunFor(lease() / 30);
  EXPECT_GE(world().Now() - *fired, lease() / 3 - milliseconds(100));
  EXPECT_LE(world().Now() - cut, lease() * 3 / 2);
  EXPECT_GT(second->epoch(), epoch);
  // The same process goes on, as a new incarnation.
  world().Heal(0);
  const Held again = Register(0, "r/k/b");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->entry().incarnation, incarnation);
  EXPECT_GT(again->epoch(), second->epoch());
  EXPECT_GE(At(0).Stats().lapsed, 1u);
  EXPECT_EQ(At(0).Stats().lost, 1u);
}

TEST_P(DirectoryContract, MemberThatComesBackInTime_LosesNothing) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().Cut(0);
  world().RunFor(lease() / 4);
  world().Heal(0);
  world().RunFor(lease() * 2);
  EXPECT_TRUE(held->token().valid());
  EXPECT_EQ(Names(1, Only("r/k/a")), "r/k/a");
}

// Its lease has not run out at the directory when it is back; the name it gave up is free at once.
TEST_P(DirectoryContract, MemberThatComesBackLate_HasGivenItsNamesUp) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().Cut(0);
  ASSERT_TRUE(world().RunUntil([&] { return !held->token().valid(); }, lease()));
  world().RunFor(milliseconds(20));
  world().Heal(0);
  Ready(0);
  EXPECT_FALSE(held->token().valid());
  const Held other = Register(1, "r/k/a");
  EXPECT_TRUE(other.ok()) << other.status();
}

TEST_P(DirectoryContract, KilledMember_LosesItsNamesWithTheLease) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  Watcher watcher = Watch(1, Only("r/k/a"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  const TimePoint killed = world().Now();
  world().Kill(0);
  EXPECT_EQ(NextText(watcher), "removed r/k/a");
  EXPECT_GE(world().Now() - killed, lease() / 2);
  EXPECT_LE(world().Now() - killed, lease() * 3 / 2);
  EXPECT_TRUE(Register(1, "r/k/a").ok());
}

TEST_P(DirectoryContract, RestartOnTheSameAddressWithinASecond_Works) {
  Make();
  const Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  const uint64_t epoch = first->epoch(), incarnation = first->entry().incarnation;
  world().Kill(0);
  world().RunFor(milliseconds(200));
  world().Start(0);
  const TimePoint started = world().Now();
  Ready(0);
  const Held second = Register(0, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT(world().Now() - started, lease() / 2);
  EXPECT_GT(second->epoch(), epoch);
  EXPECT_GT(second->entry().incarnation, incarnation);
}

TEST_P(DirectoryContract, Stop_GivesEverythingBackAtOnce) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  testing::Probe<absl::Status> stopped("Stop");
  testing::Probe<absl::StatusOr<WatchEvent>> next("Next");
  watcher.Next(next.Handler());
  At(0).Stop(stopped.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return stopped.done(); }, seconds(5)));
  EXPECT_TRUE(stopped.value().ok());
  EXPECT_EQ(next.value().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(held->token().why().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Register(0, "r/k/b").status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Names(1, Under("r")), "");
  EXPECT_TRUE(Register(1, "r/k/a").ok());
}

// --- The directory itself ---

TEST_P(DirectoryContract, DownAtStart_IsAnErrorThatSaysSo) {
  Make();
  world().KillServer();
  world().Kill(0);
  world().Start(0);
  testing::Probe<absl::Status> ready("WaitReady");
  At(0).WaitReady(seconds(3), ready.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return ready.done(); }, seconds(10)));
  EXPECT_EQ(ready.value().code(), absl::StatusCode::kDeadlineExceeded) << ready.value();
  EXPECT_GT(ready.value().message().size(), std::strlen("not done in time: "));
  const Held held = Register(0, "r/k/a", Holding::kExclusive, {}, seconds(2));
  EXPECT_EQ(held.status().code(), absl::StatusCode::kDeadlineExceeded) << held.status();
  world().StartServer();
  Ready(0);
  EXPECT_TRUE(Register(0, "r/k/a").ok());
}

TEST_P(DirectoryContract, DownLater_IsRiddenOut) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const uint64_t epoch = held->epoch();
  EXPECT_EQ(Names(1, Under("r")), "r/k/a");
  world().KillServer();
  const TimePoint killed = world().Now();
  // Reads come from what was seen, writes wait to their deadline.
  const absl::StatusOr<Resolution> seen = Resolve(1, Under("r"));
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->stale);
  EXPECT_EQ(Text(seen->entries), "r/k/a");
  EXPECT_EQ(Register(1, "r/k/b", Holding::kShared, {},
                     lease() / 15 > milliseconds(500) ? milliseconds(1000) : milliseconds(500))
                .status()
                .code(),
            absl::StatusCode::kDeadlineExceeded);
  testing::Probe<Held> waiting("waiting");
  At(2).Register(N("r/k/c"), Holding::kExclusive, {}, seconds(60), waiting.Handler());
  world().RunFor(milliseconds(100));
  EXPECT_FALSE(waiting.done());
  ASSERT_LT(world().Now() - killed, lease() / 2);
  world().StartServer();
  ASSERT_TRUE(world().RunUntil([&] { return waiting.done(); }, seconds(30)));
  EXPECT_TRUE(waiting.value().ok()) << waiting.value().status();
  // The holder has kept its name all along.
  world().RunFor(lease() * 2);
  EXPECT_TRUE(held->token().valid()) << held->token().why();
  EXPECT_EQ(held->epoch(), epoch);
  EXPECT_EQ(Register(1, "r/k/a").status().code(), absl::StatusCode::kAlreadyExists);
  // What was given up in between is not held.
  EXPECT_EQ(Names(2, Under("r")), "r/k/a r/k/c");
  const absl::StatusOr<Resolution> fresh = Resolve(1, Under("r"));
  ASSERT_TRUE(fresh.ok());
  EXPECT_FALSE(fresh->stale);
  EXPECT_EQ(At(1).Stats().stale, 1u);
}

TEST_P(DirectoryContract, DownForLong_EveryLeaseIsLost_AndNamesAreHeldAgain) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const uint64_t epoch = held->epoch();
  world().KillServer();
  world().RunFor(lease() * 3 / 2);
  EXPECT_FALSE(held->token().valid());
  world().StartServer();
  const TimePoint started = world().Now();
  const Held again = Register(1, "r/k/a");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_LE(world().Now() - started, lease() * 4 / 3 + seconds(3));
  EXPECT_GT(again->epoch(), epoch);
}

// --- Watching ---

TEST_P(DirectoryContract, Watch_IsASnapshotAndThenEveryChange) {
  Make();
  Held first = Register(0, "r/k/a", Holding::kShared, {{"v", "1"}});
  Held elsewhere = Register(0, "r/kk/a");
  Watcher watcher = Watch(1, Under("r/k"));
  Watcher filtered = Watch(2, Under("r").Where("v", "1"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  EXPECT_EQ(NextText(filtered), "snapshot r/k/a");
  Held second = Register(2, "r/k/b");
  EXPECT_EQ(NextText(watcher), "added r/k/b");
  EXPECT_TRUE(Update(*first, {{"v", "2"}}).ok());
  const absl::StatusOr<WatchEvent> changed = Next(watcher);
  ASSERT_TRUE(changed.ok() && changed->kind == WatchEvent::Kind::kChanged);
  EXPECT_EQ(changed->entries[0], first->entry());
  // It fits no longer.
  EXPECT_EQ(NextText(filtered), "removed r/k/a");
  EXPECT_TRUE(Release(*second).ok());
  EXPECT_EQ(NextText(watcher), "removed r/k/b");
  EXPECT_EQ(At(1).Stats().watches, 1u);
  watcher.Close();
  EXPECT_EQ(Next(watcher).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(At(1).Stats().watches, 0u);
}

TEST_P(DirectoryContract, Watch_OfNothing_BeginsWithAnEmptySnapshot) {
  Make();
  Watcher watcher = Watch(0, Under("none"));
  EXPECT_EQ(NextText(watcher), "snapshot");
}

TEST_P(DirectoryContract, Watch_OneNextAtATime_ThatMayBeCancelled) {
  Make();
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  asio::cancellation_signal signal;
  testing::Probe<absl::StatusOr<WatchEvent>> waiting("waiting"), second("second");
  watcher.Next(asio::bind_cancellation_slot(signal.slot(), waiting.Handler()));
  watcher.Next(second.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return second.done(); }, seconds(5)));
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kFailedPrecondition);
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(world().RunUntil([&] { return waiting.done(); }, seconds(5)));
  EXPECT_EQ(waiting.value().status().code(), absl::StatusCode::kCancelled);
  const Held held = Register(1, "r/k/a");
  EXPECT_EQ(NextText(watcher), "added r/k/a");
}

TEST_P(DirectoryContract, SlowReader_GetsACoalescedSnapshot_NeverAnUnboundedQueue) {
  Make({.adjust = [](int, DirectoryOptions& options) { options.limits.max_watch_events = 4; }});
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  std::vector<Registration> held;
  for (int i = 0; i < 8; ++i) {
    Held one = Register(1, "r/k/" + std::to_string(i));
    ASSERT_TRUE(one.ok());
    held.push_back(*std::move(one));
  }
  world().RunFor(milliseconds(500));
  EXPECT_EQ(NextText(watcher), "resynchronised r/k/0 r/k/1 r/k/2 r/k/3 r/k/4 r/k/5 r/k/6 r/k/7");
  EXPECT_TRUE(Release(held[3]).ok());
  EXPECT_EQ(NextText(watcher), "removed r/k/3");
  watcher.Close();
  world().RunFor(milliseconds(1));
  EXPECT_EQ(At(0).Stats().coalesced, 1u);
}

// What changed while the directory could not be reached is in the next event.
TEST_P(DirectoryContract, Watch_GoesOnWithoutAGap) {
  Make();
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  world().Cut(0);
  const Held held = Register(1, "r/k/a");
  ASSERT_TRUE(held.ok()) << held.status();
  world().RunFor(lease() / 5);
  world().Heal(0);
  // Backends that keep the place where they were go on with the change itself.
  const std::string next = NextText(watcher);
  EXPECT_TRUE(next == "resynchronised r/k/a" || next == "added r/k/a") << next;
}

// --- Bounds ---

TEST_P(DirectoryContract, WhatIsGivenUp_IsNotHeld) {
  Make();
  Held shared = Register(0, "r/k/other", Holding::kShared);
  asio::cancellation_signal signal;
  testing::Probe<Held> cancelled("cancelled");
  At(0).Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0),
                 asio::bind_cancellation_slot(signal.slot(), cancelled.Handler()));
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(world().RunUntil([&] { return cancelled.done(); }, seconds(5)));
  if (!cancelled.value().ok()) {
    EXPECT_EQ(cancelled.value().status().code(), absl::StatusCode::kCancelled);
  }
  cancelled.value() = absl::NotFoundError("dropped");
  world().RunFor(seconds(1));
  EXPECT_TRUE(Register(1, "r/k/a").ok());
  EXPECT_EQ(At(0).Stats().operations, 0u);
}

TEST_P(DirectoryContract, LimitsAreNamedAndCounted) {
  Make({.adjust = [](int, DirectoryOptions& options) {
    options.limits.max_registrations = 2;
    options.limits.max_watches = 1;
    options.limits.max_operations = 2;
  }});
  std::vector<Registration> held;
  for (int i = 0; i < 2; ++i) held.push_back(*Register(0, "r/k/" + std::to_string(i)));
  const absl::Status third = Register(0, "r/k/2").status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(third.message()).find("max_registrations (2)"), std::string::npos);
  held.pop_back();
  world().RunFor(seconds(1));
  EXPECT_TRUE(Register(0, "r/k/2").ok());
  Watcher watcher = Watch(0, Under("r"));
  const absl::Status second = At(0).Watch(Under("r")).status();
  EXPECT_NE(std::string(second.message()).find("max_watches (1)"), std::string::npos) << second;
  std::vector<testing::Probe<absl::StatusOr<Resolution>>> probes;
  for (int i = 0; i < 3; ++i) probes.emplace_back("probe");
  for (auto& probe : probes) At(0).Resolve(Under("r"), milliseconds(0), probe.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return probes[0].done() && probes[2].done(); }, seconds(5)));
  EXPECT_NE(std::string(probes[2].value().status().message()).find("max_operations (2)"),
            std::string::npos);
  const DirectoryStats stats = At(0).Stats();
  EXPECT_EQ(stats.registration_limit, 1u);
  EXPECT_EQ(stats.watch_limit, 1u);
  EXPECT_EQ(stats.operation_limit, 1u);
}

TEST_P(DirectoryContract, Clients_ResolveAndWatch_AndHoldNothing) {
  Make({.adjust = [](int member, DirectoryOptions& options) { options.client = member == 2; }});
  const Held held = Register(0, "r/k/a");
  EXPECT_EQ(Register(2, "r/k/b").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Names(2, Under("r")), "r/k/a");
  Watcher watcher = Watch(2, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  EXPECT_EQ(At(2).Stats().renewals, 0u);
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_H_
