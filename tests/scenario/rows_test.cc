// Rows of the table "their word, here" (grid/actor/README.md, Tests), on a mesh in memory: names,
// and who is called by them.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/actor_mesh.h"

namespace grid::actors_test {
namespace {

using RowsTest = ActorMesh;

TEST_F(RowsTest, RowActorNameMailbox_IsAnExclusiveRegistration) {
  Make();
  testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
  At(1).OpenMailbox(N("r/box/a"), {}, opened.Handler());
  absl::StatusOr<Mailbox> mailbox = Await(opened);
  ASSERT_TRUE(mailbox.ok()) << mailbox.status();
  EXPECT_EQ(HolderOf(Start(2, "r/box/a").status())->member, cluster().name(1));
  testing::Probe<absl::StatusOr<Letter>> received("Receive");
  mailbox->Receive(received.Handler());
  testing::Probe<absl::StatusOr<Answer<Text>>> answer("Call");
  At(3).To(Only("r/box/a")).Call(kEcho, Text{.text = "?"}, answer.Handler());
  absl::StatusOr<Letter> letter = Await(received);
  ASSERT_TRUE(letter.ok()) << letter.status();
  EXPECT_EQ(letter->type(), "echo");
  EXPECT_EQ(letter->sender->process.host, cluster().name(3));
  letter->Answer(kEcho, absl::StatusOr<Text>(Text{.text = "!"}));
  const absl::StatusOr<Answer<Text>> answered = Await(answer);
  ASSERT_TRUE(answered.ok()) << answered.status();
  EXPECT_EQ(answered->value.text, "!");
  EXPECT_EQ(answered->from.name, N("r/box/a"));
}

TEST_F(RowsTest, RowRequest_IsACallByName_AndSaysWhoAnswered) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/counter/a");
  ASSERT_TRUE(actor.ok()) << actor.status();
  for (const int from : {0, 1, 2, 3}) {
    const absl::StatusOr<Answer<int64_t>> answer =
        CallAdd(At(from).To(Only("r/counter/a")), 1 << (4 * from));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->from, actor->target());
    EXPECT_EQ(answer->from.member, cluster().name(1));
  }
  EXPECT_EQ(SeenBy(1, "r/counter/a").added, 0x1111);
  const std::vector<std::string> senders = {cluster().name(0), cluster().name(1), cluster().name(2),
                                            cluster().name(3)};
  EXPECT_EQ(SeenBy(1, "r/counter/a").senders, senders);
  EXPECT_EQ(At(1).Stats().handled, 4u);
}

TEST_F(RowsTest, RowAnnotations_TrustedCallersAreCheckedByTheReceiver) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a", {.trusted_callers = {"http://node2:9000"}}).ok());
  EXPECT_TRUE(CallAdd(At(2).To(Only("r/k/a")), 1).ok());
  EXPECT_TRUE(CallAdd(At(1).To(Only("r/k/a")), 1).ok());
  const absl::Status refused = CallStatus(At(3).To(Only("r/k/a")), kAdd, Add{});
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << refused;
  EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);
  EXPECT_GE(At(1).Stats().untrusted, 1u);
}

TEST_F(RowsTest, RowAnnotations_DrainingIsSkippedByResolvers) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/1");
  ASSERT_TRUE(first.ok() && Start(2, "r/k/2").ok());
  testing::Probe<absl::Status> updated("Update");
  first->Update({{kDraining, "true"}}, seconds(5), updated.Handler());
  ASSERT_TRUE(Await(updated).ok());
  const Recipients to = At(0).To(Under("r/k"), Routing::Random());
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Answer<int64_t>> answer = CallAdd(to, 1);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->from.name, N("r/k/2"));
  }
}

TEST_F(RowsTest, RowGroup_IsAListOfNames_OrAPath) {
  Make();
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(Start(1, std::string("r/k/") + key).ok());
  ASSERT_TRUE(Start(2, "r/kk/a").ok());
  const Recipients list = At(0).To(Selector::Of({N("r/k/a"), N("r/kk/a")}), Routing::All());
  EXPECT_EQ(Gather(list, "?").succeeded(), (std::vector<Name>{N("r/k/a"), N("r/kk/a")}));
  EXPECT_EQ(Gather(At(0).To(Under("r/k"), Routing::All()), "?").succeeded(),
            (std::vector<Name>{N("r/k/a"), N("r/k/b"), N("r/k/c")}));
}

TEST_F(RowsTest, RowGroup_PerVersionIsOnePerNextSegment) {
  Make();
  for (const int node : {1, 2}) {
    for (const char* version : {"1.0", "1.1"}) {
      ASSERT_TRUE(
          Start(node, std::string("r/render/farm/") + version, {.holding = Holding::kShared}).ok());
    }
  }
  const GatherResults<Text> results =
      Gather(At(0).To(Under("r/render/farm"), Routing::OnePerNextSegment()), "x");
  std::set<std::string> versions;
  for (const auto& [target, value] : results) {
    EXPECT_TRUE(value.ok()) << value.status();
    versions.insert(target.name.text());
  }
  EXPECT_EQ(results.size(), 2u);
  EXPECT_EQ(versions, (std::set<std::string>{"r/render/farm/1.0", "r/render/farm/1.1"}));
}

TEST_F(RowsTest, RowBroadcast_EachOfThemAnswersOnce) {
  Make();
  for (const int node : {1, 2, 3}) ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node)).ok());
  testing::Probe<GatherResults<int64_t>> results("Gather");
  At(0).To(Under("r/k"), Routing::All()).GatherAll(kAdd, Add{.by = 1}, results.Handler());
  EXPECT_EQ(Await(results).succeeded().size(), 3u);
  for (const int node : {1, 2, 3}) {
    EXPECT_EQ(SeenBy(node, "r/k/" + std::to_string(node)).added, 1);
  }
}

TEST_F(RowsTest, RowFastest_FirstOne_CancelsTheLosers) {
  Make();
  for (const int node : {1, 2, 3}) ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node)).ok());
  const GatherResults<Text> results = Gather(At(1).To(Under("r/k"), Routing::First(1)), "x");
  size_t succeeded = 0;
  for (const auto& [target, value] : results) succeeded += value.ok() ? 1 : 0;
  EXPECT_EQ(succeeded, 1u);
}

TEST_F(RowsTest, RowExceptSuccesses_AsksOnlyThoseWhoFailed) {
  Make();
  for (const int node : {1, 2, 3}) ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node)).ok());
  cluster().Partition(0, 2);
  CallPolicy policy = Once(seconds(2));
  GatherResults<Text> results = Gather(At(0).To(Under("r/k"), Routing::All(), policy), "1");
  EXPECT_EQ(results.succeeded(), (std::vector<Name>{N("r/k/1"), N("r/k/3")}));
  EXPECT_EQ(results.failed(), (std::vector<Name>{N("r/k/2")}));
  cluster().Heal(0, 2);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 2, seconds(60)));
  cluster().RunFor(seconds(20));
  const auto rest = [&] {
    return At(0).To(Under("r/k").Except(results.succeeded()), Routing::All(), policy);
  };
  GatherResults<Text> later = Gather(rest(), "2");
  EXPECT_LE(later.size(), 1u);
  results.Merge(std::move(later));
  for (const auto& [target, value] : results) {
    if (value.ok()) {
      EXPECT_EQ(value->text[0], target.name == N("r/k/2") ? '2' : '1');
    }
  }
}

TEST_F(RowsTest, RowQuery_IsResolve) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/a");
  ASSERT_TRUE(first.ok());
  testing::Probe<absl::StatusOr<Resolution>> found("Resolve");
  nodes_[3].names.directory->Resolve(Under("r/k"), seconds(5), found.Handler());
  const absl::StatusOr<Resolution> resolution = Await(found);
  ASSERT_TRUE(resolution.ok()) << resolution.status();
  ASSERT_EQ(resolution->entries.size(), 1u);
  EXPECT_EQ(resolution->entries[0].member, cluster().name(1));
  EXPECT_EQ(resolution->entries[0].epoch, first->target().epoch);
}

TEST_F(RowsTest, RowQueryWatch_TellsOfWhoComesAndGoes) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/a");
  ASSERT_TRUE(first.ok());
  absl::StatusOr<Watcher> watcher = nodes_[3].names.directory->Watch(Under("r/k"));
  ASSERT_TRUE(watcher.ok());
  const auto next = [&] {
    testing::Probe<absl::StatusOr<WatchEvent>> event("Next");
    watcher->Next(event.Handler());
    absl::StatusOr<WatchEvent> value = Await(event);
    return value.ok() ? std::to_string(static_cast<int>(value->kind)) + " " +
                            value->entries.at(0).name.text()
                      : value.status().ToString();
  };
  const auto kind = [](WatchEvent::Kind what) { return std::to_string(static_cast<int>(what)); };
  EXPECT_EQ(next(), kind(WatchEvent::Kind::kSnapshot) + " r/k/a");
  ASSERT_TRUE(Start(2, "r/k/b").ok());
  EXPECT_EQ(next(), kind(WatchEvent::Kind::kAdded) + " r/k/b");
  EXPECT_TRUE(Stop(*first).ok());
  EXPECT_EQ(next(), kind(WatchEvent::Kind::kRemoved) + " r/k/a");
}

// Places by number, and keys that belong to one of many: both are a name of their own for each key.
TEST_F(RowsTest, RowRing_IsNamesByNumber_OrAHashOverASharedPath) {
  Make();
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Start(1 + i % 3, "r/ring/" + std::to_string(i)).ok());
  }
  for (int i = 0; i < 6; ++i) {
    const absl::StatusOr<Answer<int64_t>> answer =
        CallAdd(At(0).To(Only("r/ring/" + std::to_string(i))), 1);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->from.member, cluster().name(1 + i % 3));
  }
  std::set<std::string> owners;
  for (int key = 0; key < 20; ++key) {
    std::set<Target> answered;
    for (const int from : {0, 1, 2, 3}) {
      const absl::StatusOr<Answer<int64_t>> answer =
          CallAdd(At(from).To(Under("r/ring"), Routing::Hash(std::to_string(key))), 1);
      ASSERT_TRUE(answer.ok()) << answer.status();
      answered.insert(answer->from);
    }
    EXPECT_EQ(answered.size(), 1u) << "whoever asks, a key belongs to one";
    owners.insert(answered.begin()->name.text());
  }
  EXPECT_GE(owners.size(), 4u);
}

TEST_F(RowsTest, RowMasterAndNodes_CallAndGo) {
  Make();
  // Each node registers itself, and keeps that renewed.
  for (const int node : {1, 2, 3}) {
    ASSERT_TRUE(Start(node, "r/worker/any", {.holding = Holding::kShared}).ok());
  }
  const Recipients workers = At(0).To(Under("r/worker"), Routing::LeastOutstanding());
  const absl::StatusOr<Answer<int64_t>> called = CallAdd(workers, 1);
  ASSERT_TRUE(called.ok()) << called.status();

  // Go: a future, which says which node has answered.
  std::vector<std::future<absl::StatusOr<Answer<int64_t>>>> going;
  for (int i = 0; i < 30; ++i) {
    going.push_back(workers.Call(kAdd, Add{.by = 1}, asio::use_future));
  }
  const auto ready = [](const auto& future) {
    return future.wait_for(seconds(0)) == std::future_status::ready;
  };
  ASSERT_TRUE(cluster().RunUntil([&] { return std::all_of(going.begin(), going.end(), ready); },
                                 seconds(10)));
  std::map<std::string, int> by_node;
  for (auto& one : going) {
    const absl::StatusOr<Answer<int64_t>> answer = one.get();
    ASSERT_TRUE(answer.ok()) << answer.status();
    ++by_node[answer->from.member];
  }
  EXPECT_EQ(by_node.size(), 3u);
  for (const auto& [node, count] : by_node) EXPECT_EQ(count, 10) << node;

  // One that dies is not asked any more; the others do its work.
  Kill(2);
  cluster().RunFor(seconds(1));  // until its connections are known to be gone
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Answer<int64_t>> answer = CallAdd(workers, 1);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_NE(answer->from.member, cluster().name(2));
  }
}

}  // namespace
}  // namespace grid::actors_test
