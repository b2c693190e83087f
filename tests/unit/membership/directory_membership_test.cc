#include "grid/membership/directory_membership.h"

#include <gtest/gtest.h>

#include <functional>

#include "grid/directory/local_directory.h"
#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLease{15};

// Processes that share one local directory. Time passes inside Run only.
class DirectoryMembershipTest : public ::testing::Test {
 protected:
  struct Process {
    std::unique_ptr<Directory> names;
    std::unique_ptr<Membership> members;
  };

  ~DirectoryMembershipTest() override { testing::Drain(io_); }

  Process Start(const std::string& name, bool client = false) {
    table_.SetReachable(name, true);
    Process process;
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
    process.names = *std::move(names);
    auto members = MakeDirectoryMembership(*process.names, {.io = &io_,
                                                            .member = name,
                                                            .client = client,
                                                            .attributes = {{"zone", "east"}},
                                                            .max_tombstones = max_tombstones_,
                                                            .clock = clock_,
                                                            .log = NullLog(),
                                                            .seed = starts_});
    EXPECT_TRUE(members.ok()) << members.status();
    process.members = *std::move(members);
    return process;
  }
  // Without a word: nothing reaches the directory any more.
  void Kill(const std::string& name, Process& process) {
    table_.SetReachable(name, false);
    process.members.reset();
    process.names.reset();
    testing::Drain(io_);
  }
  void Run(Duration duration) { testing::RunFor(io_, *clock_, duration); }
  // "http://a up, http://b down".
  static std::string Text(const Process& process) {
    std::string text;
    for (const Member& member : process.members->View()->members) {
      text += (text.empty() ? "" : ", ") + member.name + " " +
              std::string(MemberStateName(member.state));
    }
    return text;
  }
  absl::Status Change(Process& process, AttributeChanges changes) {
    testing::Probe<absl::Status> done("Change");
    process.members->Change(std::move(changes), done.Handler());
    testing::RunUntil(
        io_, *clock_, [&] { return done.done(); }, seconds(120));
    return done.done() ? done.value() : absl::InternalError("never completed");
  }

  absl::Status DeclareDown(Process& process, const std::string& name, uint64_t incarnation) {
    testing::Probe<absl::Status> done("DeclareDown");
    process.members->DeclareDown(name, incarnation, done.Handler());
    testing::RunUntil(
        io_, *clock_, [&] { return done.done(); }, seconds(120));
    return done.done() ? done.value() : absl::InternalError("never completed");
  }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  asio::io_context io_;
  LocalDirectory table_{{.io = &io_, .lease = kLease, .clock = clock_}};
  size_t max_tombstones_ = 1000;
  uint64_t starts_ = 0;
};

// The "peer" of other systems: made by membership itself.
TEST_F(DirectoryMembershipTest, RowPeer_IsRegisteredByMembershipItself) {
  Process a = Start("http://a:1");
  Run(seconds(1));
  testing::Probe<absl::StatusOr<Resolution>> found("Resolve");
  a.names->Resolve(Selector::Under(*Path::Parse("sys/member")), milliseconds(0), found.Handler());
  Run(seconds(1));
  ASSERT_TRUE(found.value().ok());
  ASSERT_EQ(found.value()->entries.size(), 1u);
  const Entry& entry = found.value()->entries[0];
  EXPECT_EQ(entry.name.text(), "sys/member/http_3a_2f_2fa_3a1");
  EXPECT_EQ(entry.holding, Holding::kExclusive);
  EXPECT_EQ(entry.attributes, (Attributes{{"url", "http://a:1"}, {"zone", "east"}}));
}

TEST_F(DirectoryMembershipTest, EachSeesWhoJoinsAndLeaves) {
  Process a = Start("http://a");
  EXPECT_EQ(a.members->View()->number, 0u);
  Run(seconds(1));
  EXPECT_EQ(Text(a), "http://a up");
  const uint64_t incarnation = a.members->View()->members[0].incarnation;
  EXPECT_GT(incarnation, 0u);
  Process b = Start("http://b");
  Run(seconds(1));
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  EXPECT_EQ(Text(b), Text(a));
  const uint64_t before = a.members->View()->number;

  testing::Probe<absl::Status> left("Leave");
  b.members->Leave(left.Handler());
  Run(seconds(1));
  ASSERT_TRUE(left.done());
  EXPECT_TRUE(left.value().ok()) << left.value();
  EXPECT_EQ(Text(a), "http://a up, http://b down");
  EXPECT_GT(a.members->View()->number, before);
  EXPECT_EQ(b.members->Stats().joined, 0u);
  EXPECT_EQ(Change(b, {{"x", "y"}}).code(), absl::StatusCode::kCancelled);
  Run(seconds(61));
  EXPECT_EQ(Text(a), "http://a up") << "tombstones are finite";
}

TEST_F(DirectoryMembershipTest, TheDeadAreDownWithTheirLease) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  Kill("http://b", b);
  Run(seconds(5));
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  Run(kLease);
  EXPECT_EQ(Text(a), "http://a up, http://b down");
  const uint64_t dead = a.members->View()->Find("http://b")->incarnation;
  // A new incarnation is welcome at once.
  b = Start("http://b");
  Run(seconds(1));
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  EXPECT_GT(a.members->View()->Find("http://b")->incarnation, dead);
}

TEST_F(DirectoryMembershipTest, ARestartWithinASecondIsANewIncarnation) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  const uint64_t before = a.members->View()->Find("http://b")->incarnation;
  Kill("http://b", b);
  b = Start("http://b");
  Run(seconds(2));
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  EXPECT_GT(a.members->View()->Find("http://b")->incarnation, before);
}

TEST_F(DirectoryMembershipTest, ALostLeaseIsJoinedAgain_WithTheSameAttributes) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  EXPECT_TRUE(Change(b, {{"load", "3"}, {"zone", std::nullopt}}).ok());
  table_.SetReachable("http://b", false);
  Run(kLease + seconds(1));
  EXPECT_EQ(Text(a), "http://a up, http://b down");
  EXPECT_EQ(b.members->Stats().joined, 0u);
  EXPECT_EQ(b.members->Stats().lost, 1u);
  table_.SetReachable("http://b", true);
  Run(seconds(5));
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  EXPECT_EQ(a.members->View()->Find("http://b")->attributes,
            (Attributes{{"load", "3"}, {"url", "http://b"}}));
  EXPECT_EQ(b.members->Stats().joined, 1u);
}

TEST_F(DirectoryMembershipTest, ChangesAreSeenByOthers_TheLastOneWins) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  testing::Probe<absl::Status> first("first"), second("second"), third("third");
  b.members->Change({{"load", "1"}}, first.Handler());
  b.members->Change({{"load", "2"}}, second.Handler());
  b.members->Change({{Member::kDraining, "true"}}, third.Handler());
  Run(seconds(1));
  for (auto* done : {&first, &second, &third}) {
    ASSERT_TRUE(done->done());
    EXPECT_TRUE(done->value().ok()) << done->value();
  }
  EXPECT_EQ(a.members->View()->Find("http://b")->Metric("load"), 2);
  EXPECT_EQ(Text(a), "http://a up, http://b leaving");
  EXPECT_TRUE(Change(b, {{Member::kDraining, std::nullopt}}).ok());
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  EXPECT_EQ(Change(b, {{"url", "x"}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Change(b, {{"k", std::string(5000, 'v')}}).code(), absl::StatusCode::kInvalidArgument);
}

// The error of an attempt is not the end of what was to be told.
TEST_F(DirectoryMembershipTest, AChangeThatCouldNotBeToldIsToldLater) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  table_.SetReachable("http://b", false);
  EXPECT_FALSE(Change(b, {{"load", "7"}}).ok());
  table_.SetReachable("http://b", true);
  Run(seconds(5));
  EXPECT_EQ(a.members->View()->Find("http://b")->Metric("load"), 7);
}

// Of two processes under one name the newer one is the member.
TEST_F(DirectoryMembershipTest, TwoOfOneName_TheNewerOneIsTheMember) {
  Process a = Start("http://a");
  Process old = Start("http://b");
  Run(seconds(1));
  const uint64_t before = a.members->View()->Find("http://b")->incarnation;
  Process young = Start("http://b");
  Run(seconds(30));
  EXPECT_GT(a.members->View()->Find("http://b")->incarnation, before);
  EXPECT_GT(old.members->Stats().lost, 0u);
}

TEST_F(DirectoryMembershipTest, Client_SeesMembersAndIsNone) {
  Process a = Start("http://a");
  Process client = Start("me", true);
  Run(seconds(1));
  EXPECT_EQ(Text(client), "http://a up");
  EXPECT_EQ(Text(a), "http://a up");
  EXPECT_EQ(Change(client, {{"x", "y"}}).code(), absl::StatusCode::kFailedPrecondition);
  testing::Probe<absl::Status> left("Leave");
  client.members->Leave(left.Handler());
  Run(seconds(1));
  EXPECT_TRUE(left.value().ok());
}

// Rule 5: what a directory does not name, once it is back, is suspect and not down.
TEST_F(DirectoryMembershipTest, Rule5_WhoIsMissingOnceTheDirectoryIsBackIsSuspect) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  table_.SetReachable("http://a", false);
  Kill("http://b", b);
  Run(kLease + seconds(1));  // the directory has forgotten both
  EXPECT_EQ(Text(a), "http://a up, http://b up") << "nothing was heard";
  table_.SetReachable("http://a", true);
  testing::RunUntil(
      io_, *clock_, [&] { return Text(a).ends_with("http://b suspect"); }, seconds(10));
  EXPECT_EQ(Text(a).substr(Text(a).find(", ")), ", http://b suspect");
  Run(seconds(16));
  EXPECT_EQ(Text(a), "http://a up, http://b down");
}

// --- Declared down ---

TEST_F(DirectoryMembershipTest, RowBlockList_AnIncarnationIsDeclaredDown_ANewOneIsWelcome) {
  Process a = Start("http://a"), b = Start("http://b"), c = Start("http://c");
  Run(seconds(1));
  const uint64_t blocked = a.members->View()->Find("http://b")->incarnation;
  testing::Probe<absl::StatusOr<Registration>> held("Register");
  b.names->Register(*Name::Parse("r/k/1"), Holding::kExclusive, {}, milliseconds(0),
                    held.Handler());
  Run(seconds(1));
  ASSERT_TRUE(held.value().ok());
  // c hears of it as well, and b, which is alive, joins again as another incarnation.
  auto watcher = c.members->Watch();
  bool seen_down = false;
  std::function<void(absl::StatusOr<MembershipWatcher::ViewPtr>)> look = [&](auto view) {
    if (!view.ok()) return;
    const Member* const member = (*view)->Find("http://b");
    seen_down |= member->incarnation == blocked && member->state == MemberState::kDown;
    watcher->Next(look);
  };
  watcher->Next(look);
  EXPECT_TRUE(DeclareDown(a, "http://b", blocked).ok());
  Run(seconds(2));
  EXPECT_TRUE(seen_down);
  for (const Process* process : {&a, &b, &c}) {
    EXPECT_EQ(Text(*process), "http://a up, http://b up, http://c up");
    EXPECT_GT(process->members->View()->Find("http://b")->incarnation, blocked);
    EXPECT_EQ(process->members->Stats().tombstones, 1u);
  }
  EXPECT_FALSE(held.value()->token().valid()) << "what it held went with the incarnation";
  EXPECT_EQ(a.members->Stats().declared, 1u);
  EXPECT_EQ(b.members->Stats().renounced, 1u);
  EXPECT_EQ(b.members->Stats().lost, 1u);
  EXPECT_EQ(b.members->View()->Find("http://b")->Attribute("zone"), "east");
  EXPECT_EQ(c.members->Stats().renounced, 0u);
  // That one has been replaced: there is nothing to declare.
  EXPECT_TRUE(DeclareDown(c, "http://b", blocked).ok());
  EXPECT_EQ(c.members->Stats().declared, 0u);
  watcher->Close();
  Run(seconds(1));
}

TEST_F(DirectoryMembershipTest, Rule5_TombstonesAreFinite) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  ASSERT_TRUE(DeclareDown(a, "http://b", a.members->View()->Find("http://b")->incarnation).ok());
  Run(seconds(30));
  EXPECT_EQ(a.members->Stats().tombstones, 1u);
  Run(seconds(31));
  EXPECT_EQ(a.members->Stats().tombstones, 0u);
  EXPECT_EQ(b.members->Stats().tombstones, 0u);
  EXPECT_EQ(Text(a), "http://a up, http://b up");
  EXPECT_EQ(b.members->Stats().renounced, 1u);
}

// Who can't be reached does not hear of it: its lease ends by itself, and until then it is down for
// all others.
TEST_F(DirectoryMembershipTest, DeclaredDown_WhoCannotHearOfIt_IsDownForTheOthersAtOnce) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  table_.SetReachable("http://b", false);
  const uint64_t blocked = a.members->View()->Find("http://b")->incarnation;
  EXPECT_TRUE(DeclareDown(a, "http://b", blocked).ok());
  EXPECT_EQ(Text(a), "http://a up, http://b down");
  // Somebody who joins now hears it from the beginning.
  Process c = Start("http://c");
  Run(seconds(1));
  EXPECT_EQ(Text(c), "http://a up, http://b down, http://c up");
  table_.SetReachable("http://b", true);
  Run(seconds(5));
  EXPECT_EQ(Text(a), "http://a up, http://b up, http://c up");
  EXPECT_GT(a.members->View()->Find("http://b")->incarnation, blocked);
}

TEST_F(DirectoryMembershipTest, DeclareDown_OurselvesToo_ByTwoAtOnce) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  const uint64_t blocked = a.members->View()->Find("http://a")->incarnation;
  testing::Probe<absl::Status> first("first"), second("second");
  a.members->DeclareDown("http://a", blocked, first.Handler());
  b.members->DeclareDown("http://a", blocked, second.Handler());
  Run(seconds(3));
  EXPECT_TRUE(second.value().ok()) << second.value();
  EXPECT_TRUE(first.done());
  EXPECT_EQ(a.members->Stats().renounced, 1u);
  EXPECT_EQ(Text(b), "http://a up, http://b up");
  EXPECT_GT(b.members->View()->Find("http://a")->incarnation, blocked);
}

TEST_F(DirectoryMembershipTest, DeclareDown_WhatIsRefused) {
  Process a = Start("http://a"), b = Start("http://b"), client = Start("me", true);
  Run(seconds(1));
  const uint64_t of_b = a.members->View()->Find("http://b")->incarnation;
  EXPECT_EQ(DeclareDown(a, "http://nobody", 7).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DeclareDown(a, "http://b", of_b + 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DeclareDown(a, "http://b", 0).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DeclareDown(client, "http://b", of_b).code(), absl::StatusCode::kFailedPrecondition);
  table_.SetReachable("http://a", false);
  EXPECT_EQ(DeclareDown(a, "http://b", of_b).code(), absl::StatusCode::kDeadlineExceeded);
  table_.SetReachable("http://a", true);
  EXPECT_EQ(a.members->Stats().declared, 0u);
  Run(seconds(5));
  EXPECT_EQ(b.members->Stats().renounced, 0u);
  testing::Probe<absl::Status> left("Leave");
  a.members->Leave(left.Handler());
  Run(seconds(1));
  EXPECT_EQ(DeclareDown(a, "http://b", of_b).code(), absl::StatusCode::kCancelled);
}

TEST_F(DirectoryMembershipTest, MaxTombstones_IsALimitThatIsNamedAndCounted) {
  max_tombstones_ = 1;
  Process a = Start("http://a"), b = Start("http://b"), c = Start("http://c");
  Run(seconds(1));
  const auto incarnation = [&](const char* name) {
    return a.members->View()->Find(name)->incarnation;
  };
  EXPECT_TRUE(DeclareDown(a, "http://b", incarnation("http://b")).ok());
  const absl::Status refused = DeclareDown(a, "http://c", incarnation("http://c"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("max_tombstones (1)"), absl::string_view::npos) << refused;
  EXPECT_EQ(a.members->Stats().tombstone_limit, 1u);
  // Another's is one too many for those who hear of it.
  EXPECT_TRUE(DeclareDown(c, "http://a", incarnation("http://a")).ok());
  Run(seconds(2));
  EXPECT_EQ(b.members->Stats().tombstones, 1u);
  EXPECT_GE(b.members->Stats().tombstone_limit, 1u);
  EXPECT_EQ(a.members->Stats().renounced, 0u);
}

// What is no tombstone, though it stands where they do.
TEST_F(DirectoryMembershipTest, BadTombstonesAreIgnored) {
  Process a = Start("http://a"), b = Start("http://b");
  Run(seconds(1));
  const std::string own = std::to_string(a.members->View()->Find("http://a")->incarnation);
  std::vector<testing::Probe<absl::StatusOr<Registration>>> held;
  const auto put = [&](const std::string& name, Attributes attributes) {
    held.emplace_back("Register");
    b.names->Register(*Name::Parse("sys/member/" + name), Holding::kShared, std::move(attributes),
                      milliseconds(0), held.back().Handler());
    Run(milliseconds(100));
  };
  held.reserve(10);
  put("http_3a_2f_2fa/down/" + own, {});
  put("http_3a_2f_2fa/down/" + own, {{"url", "http://b"}});
  put("http_3a_2f_2fa/down/0" + own, {{"url", "http://a"}});
  put("http_3a_2f_2fa/down/99999999999999999999999", {{"url", "http://a"}});
  put("http_3a_2f_2fa/up/" + own, {{"url", "http://a"}});
  put("http_3a_2f_2fa/down/" + own + "/x", {{"url", "http://a"}});
  EXPECT_EQ(a.members->Stats().ignored, 6u);
  EXPECT_EQ(a.members->Stats().tombstones, 0u);
  put("http_3a_2f_2fa/down/" + own, {{"url", "http://a"}});
  Run(seconds(1));
  EXPECT_EQ(a.members->Stats().tombstones, 1u);
  EXPECT_EQ(a.members->Stats().renounced, 1u);
}

// Somebody who registers under another's name is not taken for it.
TEST_F(DirectoryMembershipTest, EntriesOfOthersAreIgnored) {
  Process a = Start("http://a");
  Run(seconds(1));
  testing::Probe<absl::StatusOr<Registration>> held("Register");
  a.names->Register(*Name::Parse("sys/member/evil"), Holding::kExclusive, {}, milliseconds(0),
                    held.Handler());
  Run(seconds(1));
  EXPECT_TRUE(held.value().ok());
  EXPECT_EQ(Text(a), "http://a up");
  EXPECT_EQ(a.members->Stats().ignored, 1u);
}

TEST_F(DirectoryMembershipTest, BadOptionsAreNamed) {
  Process a = Start("http://a");
  const auto refused = [&](DirectoryMembershipOptions options) {
    return std::string(MakeDirectoryMembership(*a.names, std::move(options)).status().message());
  };
  EXPECT_NE(refused({.member = "a"}).find("::io"), std::string::npos);
  EXPECT_NE(refused({.io = &io_}).find("::member"), std::string::npos);
  EXPECT_NE(refused({.io = &io_, .member = "a", .suspect = milliseconds(0)}).find("::suspect"),
            std::string::npos);
  EXPECT_NE(refused({.io = &io_, .member = "a", .forget = std::chrono::hours(25)}).find("::forget"),
            std::string::npos);
  EXPECT_NE(refused({.io = &io_, .member = "a", .attributes = {{"", ""}}}).find("key is empty"),
            std::string::npos);
}

}  // namespace
}  // namespace grid
