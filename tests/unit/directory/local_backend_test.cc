// The answers of a backend that goes: the table has done what it was asked, and nobody hears of it.
#include "grid/directory/local_backend.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>

#include "grid/testing/virtual_clock.h"

namespace grid::internal {
namespace {

class LocalBackendTest : public ::testing::Test {
 protected:
  void Renew() {
    backend_->Renew(
        {.member = "a", .incarnation = 1}, std::chrono::seconds(1),
        [this, asked = asked_](const absl::StatusOr<LeaseGrant>& grant) { answer_ = grant.ok(); });
  }

  boost::asio::io_context io_;
  const std::shared_ptr<RegistryHost> host_ =
      std::make_shared<RegistryHost>(std::make_shared<testing::VirtualClock>(), RegistryOptions());
  std::unique_ptr<LocalBackend> backend_ =
      std::make_unique<LocalBackend>(host_, io_, "a", std::make_shared<Reach>());
  std::optional<bool> answer_;
  const std::shared_ptr<int> asked_ = std::make_shared<int>();  // each `done` has it
};

TEST_F(LocalBackendTest, Answers_NotFromInside) {
  Renew();
  EXPECT_FALSE(answer_.has_value());
  io_.poll();
  EXPECT_EQ(answer_, true);
}

TEST_F(LocalBackendTest, Destroyed_TheAnswerUnderWayIsDropped) {
  Renew();
  backend_.reset();
  io_.poll();
  EXPECT_FALSE(answer_.has_value());
  EXPECT_EQ(asked_.use_count(), 1);
  EXPECT_EQ(host_->Stats().sessions, 1u);
}

TEST_F(LocalBackendTest, Closed_NothingIsPosted) {
  backend_->Close();
  Renew();
  EXPECT_EQ(io_.poll(), 0u);
  EXPECT_FALSE(answer_.has_value());
  EXPECT_EQ(asked_.use_count(), 1);
  EXPECT_EQ(host_->Stats().sessions, 1u);
}

}  // namespace
}  // namespace grid::internal
