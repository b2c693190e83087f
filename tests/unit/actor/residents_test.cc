// Residents: letters find whom they are for, by name and epoch, if their sender is trusted.
#include "grid/actor/residents.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "grid/actor/target.h"
#include "grid/testing/virtual_clock.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

class Box final : public LetterBox {
 public:
  void Put(Letter letter) override {
    ++letters;
    letter.reply.Answer(Buffer::CopyOf("taken"));
  }
  int letters = 0;
};

class ResidentsTest : public ::testing::Test {
 protected:
  class Sink final : public OutcomeSink {
   public:
    explicit Sink(std::optional<LetterOutcome>* outcome) : outcome_(outcome) {}
    void Complete(LetterOutcome outcome) override { outcome_->emplace(std::move(outcome)); }

   private:
    std::optional<LetterOutcome>* const outcome_;
  };

  absl::Status Deliver(const char* name, uint64_t epoch, Caller caller = {.host = "http://b:1"}) {
    std::optional<LetterOutcome> outcome;
    Letter letter;
    letter.sender = std::make_shared<const Sender>(Sender{.process = std::move(caller)});
    letter.reply = ReplyToken(std::make_unique<Sink>(&outcome));
    residents_.Deliver({.name = name, .epoch = epoch}, std::move(letter));
    return outcome.has_value() ? outcome->status() : absl::InternalError("no outcome");
  }
  static Name N(const char* name) { return *Name::Parse(name); }

  Residents residents_{"http://a:1", std::make_shared<RememberedCalls>(
                                         std::make_shared<testing::VirtualClock>(), 10, 1000)};
};

TEST_F(ResidentsTest, ALetterIsForOneEpochOfAName) {
  const auto old = std::make_shared<Box>(), young = std::make_shared<Box>();
  residents_.Add(N("r/k/a"), 5, old, {});
  residents_.Add(N("r/k/a"), 7, young, {});
  EXPECT_TRUE(Deliver("r/k/a", 5).ok());
  EXPECT_TRUE(Deliver("r/k/a", 7).ok());
  EXPECT_TRUE(Deliver("r/k/a", 7).ok());
  EXPECT_EQ(old->letters, 1);
  EXPECT_EQ(young->letters, 2);
  for (const auto& [name, epoch] : {std::pair("r/k/a", 6), std::pair("r/k/b", 5)}) {
    const absl::Status missing = Deliver(name, static_cast<uint64_t>(epoch));
    EXPECT_TRUE(IsNoSuchTarget(missing)) << missing;
    EXPECT_EQ(DeliveryOf(missing), Delivery::kRejected);
    EXPECT_NE(std::string(missing.message()).find("view of this member is 7"), std::string::npos);
  }
  residents_.Remove(N("r/k/a"), 5);
  residents_.Remove(N("r/k/a"), 5);
  EXPECT_TRUE(IsNoSuchTarget(Deliver("r/k/a", 5)));
  EXPECT_TRUE(Deliver("r/k/a", 7).ok());
  EXPECT_EQ(residents_.missing(), 3u);
}

TEST_F(ResidentsTest, Find_TheBoxOfOneEpoch_WhoeverIsTrusted) {
  const auto box = std::make_shared<Box>();
  residents_.Add(N("r/k/a"), 5, box, {"http://b:1"});
  EXPECT_EQ(residents_.Find("r/k/a", 5), box);
  EXPECT_EQ(residents_.Find("r/k/a", 6), nullptr);
  EXPECT_EQ(residents_.Find("r/k/b", 5), nullptr);
  residents_.Remove(N("r/k/a"), 5);
  EXPECT_EQ(residents_.Find("r/k/a", 5), nullptr);
  // Nothing was to be delivered, so nothing is counted.
  EXPECT_EQ(residents_.missing(), 0u);
}

TEST_F(ResidentsTest, TrustedCallers_ByHostOrBySubject_AndOurOwnProcess) {
  residents_.Add(N("r/k/a"), 1, std::make_shared<Box>(), {"http://b:1", "CN=ops"});
  EXPECT_TRUE(Deliver("r/k/a", 1, {.host = "http://b:1"}).ok());
  EXPECT_TRUE(Deliver("r/k/a", 1, {.host = "http://c:1", .tls_subject = "CN=ops"}).ok());
  EXPECT_TRUE(Deliver("r/k/a", 1, {.host = "http://a:1"}).ok());
  // A client may call itself what its token allows: our own name, too.
  for (const Caller& caller :
       {Caller{.host = "http://c:1"}, Caller{.host = "http://a:1", .is_client = true},
        Caller{.host = ""}}) {
    const absl::Status refused = Deliver("r/k/a", 1, caller);
    EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << refused;
    EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);
  }
  EXPECT_EQ(residents_.untrusted(), 3u);
}

}  // namespace
}  // namespace grid::internal
