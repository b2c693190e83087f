#include "grid/membership/directory_membership.h"

#include <gtest/gtest.h>

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

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  asio::io_context io_;
  LocalDirectory table_{{.io = &io_, .lease = kLease, .clock = clock_}};
  uint64_t starts_ = 0;
};

// The "peer" of other systems: made by membership itself.
TEST_F(DirectoryMembershipTest, Peer_IsRegisteredByMembershipItself) {
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
