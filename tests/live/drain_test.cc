// Real nodes that drain on SIGTERM and start again, while three others keep calling them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grid/manager.h"
#include "handlers/delivery.h"
#include "tests/live/tools_fixture.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr HandlerId kSleep{10};  // of the conformance service: the payload is a number of ms

// Keeps `inflight` calls in flight to one node, and tries those again that are safe to be.
class Caller {
 public:
  Caller(const std::string& local, const std::string& node, int inflight) : inflight_(inflight) {
    ManagerOptions options;
    options.local = local;
    options.log = NullLog();
    manager_ = std::make_unique<Manager>(std::move(options));
    EXPECT_TRUE(manager_->AddPeer(node).ok());
    EXPECT_TRUE(manager_->Start().ok());
    EXPECT_TRUE(manager_->Listen(local.substr(local.rfind('/') + 1)).ok());
    peer_ = manager_->Connection(node);
  }

  void Start() {
    for (int i = 0; i < inflight_; ++i) Send();
  }
  // Begins no more, and waits for the last.
  bool Finish(milliseconds limit) {
    enough_ = true;
    for (const auto end = Clock::now() + limit; running_ > 0 && Clock::now() < end;) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    return running_ == 0;
  }

  Connection& peer() { return peer_; }
  int answered() const { return answered_; }
  int retried() const { return retried_; }
  int failed() const { return failed_; }

 private:
  using Clock = std::chrono::steady_clock;

  void Send() {
    ++running_;
    const std::string payload = std::to_string(100 + ++number_ * 7919 % 400);
    peer_.Request(kSleep, AsBytes(payload),
                  {.timeout = std::chrono::minutes(2), .wait_for_ready = true},
                  [this](const absl::StatusOr<Buffer>& reply) { Done(reply.status()); });
  }
  void Done(const absl::Status& status) {
    if (status.ok()) {
      ++answered_;
    } else if (IsSafeToRetry(status)) {
      ++retried_;
    } else {
      EXPECT_GT(++failed_, 0) << status;
      ADD_FAILURE() << status;
    }
    if (!enough_ || (!status.ok() && IsSafeToRetry(status))) Send();
    --running_;
  }

  const int inflight_;
  std::unique_ptr<Manager> manager_;
  Connection peer_;
  std::atomic<bool> enough_{false};
  std::atomic<int> running_{0}, answered_{0}, retried_{0}, failed_{0};
  std::atomic<uint32_t> number_{0};
};

// Ten thousand calls in flight, from three peers, while the node restarts ten times, connected or
// not.
TEST(GridnodeDrain, UnderLoad_NoCallFails) {
  constexpr int kRounds = 10;
  constexpr int kInFlight = 3334;  // of each peer
  const Names names;
  const Arguments arguments = {"--local", names.node,    "--peer", names.dialler,
                               "--peer",  names.dialled, "--peer", names.other};
  std::unique_ptr<Process> node = StartNode(arguments);
  ASSERT_NE(node, nullptr);
  std::vector<std::unique_ptr<Caller>> callers;
  for (const std::string& local : {names.dialler, names.dialled, names.other}) {
    callers.push_back(std::make_unique<Caller>(local, names.node, kInFlight));
  }
  for (auto& caller : callers) caller->Start();
  for (int round = 0; round < kRounds; ++round) {
    // It dials the first at once, the last dials it within 2 s.
    std::this_thread::sleep_for(milliseconds(round * 211));
    node->Signal(SIGTERM);
    EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
    EXPECT_THAT(node->err(), HasSubstr("draining: "));
    node = StartNode(arguments);
    ASSERT_NE(node, nullptr);
  }
  int answered = 0, retried = 0;
  for (auto& caller : callers) {
    EXPECT_TRUE(caller->Finish(kLimit));
    EXPECT_EQ(caller->failed(), 0);
    EXPECT_GE(caller->answered(), kInFlight);
    answered += caller->answered();
    retried += caller->retried();
  }
  RecordProperty("answered", answered);
  RecordProperty("retried", retried);
}

TEST(GridnodeDrain, AtItsTimeOut_WhatRunsIsCut) {
  const Names names;
  const std::unique_ptr<Process> node =
      StartNode({"--local", names.node, "--peer", names.dialler, "--drain-timeout", "500ms"});
  ASSERT_NE(node, nullptr);
  Process call(
      {kGridctl, "call", "10", "--payload", "60000", "--timeout", "50s", "--remote", names.node});
  std::this_thread::sleep_for(seconds(3));
  const auto begin = std::chrono::steady_clock::now();
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(500));
  EXPECT_THAT(node->err(), HasSubstr("draining: 1 requests and 0 streams"));
  EXPECT_EQ(call.Wait(kLimit), 1);
  EXPECT_THAT(call.err(), HasSubstr("disconnected"));
}

}  // namespace
}  // namespace grid::live
