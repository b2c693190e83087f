// Managers that were never started, are stopped, or are gone; and the handles that outlive them.
#include <boost/asio/use_future.hpp>
#include <future>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

ManagerOptions Offline(const std::string& local) {
  ManagerOptions options;
  options.local = local;
  options.log = NullLog();
  return options;
}

TEST(ManagerOptionsTest, StartNamesTheFieldThatIsWrong) {
  const auto start = [](std::function<void(ManagerOptions&)> change) {
    testing::Cluster cluster(
        {.nodes = 1, .adjust = [&](int, ManagerOptions& options) { change(options); }});
    return cluster.Start(0);
  };
  const std::pair<const char*, std::function<void(ManagerOptions&)>> kWrong[] = {
      {"local", [](ManagerOptions& o) { o.local = ""; }},
      {"local", [](ManagerOptions& o) { o.local = "node0:9000"; }},
      {"route", [](ManagerOptions& o) { o.route = "grid"; }},
      {"io_threads", [](ManagerOptions& o) { o.io_threads = 0; }},
      {"limits.max_payload_bytes", [](ManagerOptions& o) { o.limits.max_payload_bytes = 1023; }},
      {"limits.max_reassemblies", [](ManagerOptions& o) { o.limits.max_reassemblies = 0; }},
      {"extensions.fragment_bytes", [](ManagerOptions& o) { o.extensions.fragment_bytes = 1023; }},
      {"extensions.zstd_level", [](ManagerOptions& o) { o.extensions.zstd_level = 13; }},
      {"dictionaries: dictionary 1 is no zstd dictionary",
       [](ManagerOptions& o) { o.dictionaries = {"x"}; }},
      {"extensions.fragment_bytes",
       [](ManagerOptions& o) { o.extensions.fragment_bytes = (16u << 20) + 1; }},
      {"worker_threads", [](ManagerOptions& o) { o.worker_threads = 5000; }},
      {"max_message_bytes", [](ManagerOptions& o) { o.limits.max_message_bytes = 1; }},
      {"max_inflight", [](ManagerOptions& o) { o.limits.max_inflight = 0; }},
      {"timeouts.ping", [](ManagerOptions& o) { o.timeouts.ping = milliseconds(0); }},
      {"redial_max", [](ManagerOptions& o) { o.timeouts.redial_max = milliseconds(5); }},
  };
  for (const auto& [field, change] : kWrong) {
    const absl::Status status = start(change);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_NE(std::string(status.message()).find(field), std::string::npos) << status;
  }
}

TEST(ManagerNeverStartedTest, AnswersWithStatuses) {
  Manager manager(Offline("http://node0:9000"));
  EXPECT_TRUE(manager.AddPeer("http://node1:9000").ok());
  EXPECT_EQ(manager.AddPeer("http://node1:9000").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(manager.Listen("node0:9000").status().code(), absl::StatusCode::kFailedPrecondition);
  Connection peer = manager.Connection("http://node1:9000");
  EXPECT_EQ(peer.state(), ConnectionState::kUnconnected);
  EXPECT_FALSE(peer.OpenStream(kNumbers, {}, {}).ok());
  const Reply reply = peer.Request(kEcho, {}, {}, asio::use_future).get();
  EXPECT_TRUE(IsDisconnected(reply.status())) << reply.status();
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
  EXPECT_TRUE(manager.RemovePeer("http://node1:9000").ok());
  manager.Stop();
  manager.Stop();
  EXPECT_EQ(manager.Start().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ManagerRegistrationTest, DuplicatesAndBadIdsAreStatuses) {
  Manager manager(Offline("http://node0:9000"));
  const SingleFunction echo = [](BytesView request, RequestContext&) -> Reply {
    return Buffer::CopyOf(request);
  };
  EXPECT_TRUE(manager.RegisterSingle({.id = kEcho}, echo).ok());
  EXPECT_EQ(manager.RegisterSingle({.id = kEcho}, echo).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(manager.RegisterSingle({.id = kEcho, .subroute = "a"}, echo).ok());
  EXPECT_EQ(manager.RegisterSingle({.id = HandlerId{0}}, echo).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(manager.RegisterSingle({.id = kError}, SingleFunction()).code(),
            absl::StatusCode::kInvalidArgument);
}

class StoppedManagerTest : public ScenarioTest {
 protected:
  void SetUp() override { MakeAndStart({.names = testing::NamesForDialDirection(true)}); }
};

TEST_F(StoppedManagerTest, EndsWhatRunsOnBothSides) {
  std::vector<ReplyProbe> probes(4);
  for (size_t i = 0; i < probes.size(); ++i) {
    const int from = static_cast<int>(i % 2);
    cluster().Peer(from, 1 - from).Request(kHang, {}, {}, probes[i].Handler());
  }
  testing::Probe<ReadResult> read("read");
  absl::StatusOr<Stream> stream =
      cluster().Peer(0, 1).OpenStream(kStreamBlock, {}, {.has_input = true});
  ASSERT_TRUE(stream.ok());
  cluster().RunFor(milliseconds(10));
  testing::Probe<ReadResult> ready("ready");
  stream->Read(ready.Handler());
  stream->Read(read.Handler());
  cluster().Drain();
  EXPECT_TRUE(ready.done());
  cluster().Stop(0);
  cluster().RunFor(seconds(1));
  for (ReplyProbe& probe : probes) {
    ASSERT_TRUE(probe.done());
    EXPECT_TRUE(IsDisconnected(probe.value().status())) << probe.value().status();
  }
  ASSERT_TRUE(read.done());
  EXPECT_TRUE(IsDisconnected(read.value().status())) << read.value().status();
  EXPECT_EQ(record(0).hangs_cancelled, 2);
  EXPECT_EQ(record(1).hangs_cancelled, 2);
  ExpectIdle();
}

TEST_F(StoppedManagerTest, HandlesThatOutliveIt_AnswerWithStatuses) {
  Connection peer = cluster().Peer(0, 1);
  Subroute subroute = peer.Subroute("a/b");
  absl::StatusOr<Stream> stream = peer.OpenStream(kStreamEcho, {}, {.has_input = true});
  ASSERT_TRUE(stream.ok());
  cluster().RunFor(milliseconds(10));
  cluster().Stop(0);  // and destroys the manager

  EXPECT_EQ(peer.state(), ConnectionState::kShutdown);
  EXPECT_EQ(peer.host(), cluster().name(1));
  EXPECT_EQ(peer.Stats().connects, 1u);
  EXPECT_TRUE(IsDisconnected(peer.OpenStream(kNumbers, {}, {}).status()));
  for (Requester* requester :
       {static_cast<Requester*>(&peer), static_cast<Requester*>(&subroute)}) {
    const Reply reply = requester->Request(kEcho, {}, {}, asio::use_future).get();
    EXPECT_TRUE(IsDisconnected(reply.status())) << reply.status();
    EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
  }
  const Reply waiting = peer.Request(kEcho, {}, {.wait_for_ready = true}, asio::use_future).get();
  EXPECT_FALSE(waiting.ok());
  EXPECT_TRUE(IsDisconnected(stream->Read(asio::use_future).get().status()));
  EXPECT_FALSE(stream->Write(AsBytes("x"), asio::use_future).get().ok());
  stream->CloseSend();
  stream->Cancel();
}

TEST_F(StoppedManagerTest, WaitersEnd) {
  cluster().Kill(1);
  cluster().RunFor(milliseconds(10));
  ReplyProbe request("waiting request");
  testing::Probe<absl::Status> connected("WaitConnected");
  cluster().Peer(0, 1).Request(kEcho, {}, {.wait_for_ready = true}, request.Handler());
  cluster().Peer(0, 1).WaitConnected(minutes(5), connected.Handler());
  cluster().RunFor(seconds(3));
  EXPECT_FALSE(request.done());
  cluster().Stop(0);
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(request.done());
  EXPECT_TRUE(IsDisconnected(request.value().status())) << request.value().status();
  ASSERT_TRUE(connected.done());
  EXPECT_FALSE(connected.value().ok());
}

TEST_F(StoppedManagerTest, MayBeStoppedFromACompletion) {
  bool stopped = false;
  cluster().Peer(0, 1).Request(kEcho, AsBytes("x"), {}, [&](Reply) {
    cluster().manager(0).StopAsync([&] { stopped = true; });
  });
  cluster().RunFor(seconds(3));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(cluster().manager(0).Start().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(cluster().manager(0).Listen("node0:9001").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace grid
