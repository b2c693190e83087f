// The implementation of scenario.h; named as it is so that the build finds it.
#include "tests/scenario/scenario.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "handlers/conformance/conformance.h"

namespace grid {
namespace {

asio::awaitable<absl::StatusOr<Buffer>> Hang(testing::Cluster& cluster, NodeRecord& record,
                                             RequestContext& context) {
  ++record.hangs_started;
  asio::steady_timer wait(cluster.io(), asio::steady_timer::time_point::max());
  context.OnCancel([&wait] { wait.cancel(); });
  if (!context.cancelled()) co_await wait.async_wait(asio::as_tuple(asio::use_awaitable));
  ++record.hangs_cancelled;
  record.hang_cancellation = context.cancellation();
  co_return context.cancellation();
}

}  // namespace

void RegisterHandlers(testing::Cluster& cluster, Manager& manager, NodeRecord& record) {
  ConformanceOptions options;
  options.sleep = [&cluster](milliseconds time) { return cluster.Sleep(time); };
  ASSERT_TRUE(RegisterConformanceHandlers(manager, options).ok());
  ASSERT_TRUE(manager
                  .RegisterSingle({.id = kWorkerEcho},
                                  SingleFunction([](BytesView request, RequestContext&) -> Reply {
                                    return Buffer::CopyOf(request);
                                  }))
                  .ok());
  ASSERT_TRUE(
      manager
          .RegisterSingle({.id = kHang}, SingleCoroutine([&](Buffer, RequestContext& context) {
                            return Hang(cluster, record, context);
                          }))
          .ok());
  ASSERT_TRUE(manager
                  .RegisterSingle({.id = kCaller, .run_on = RunOn::kIoThread},
                                  SingleFunction([](BytesView, RequestContext& context) -> Reply {
                                    const Caller& caller = context.caller();
                                    const std::string instance(caller.instance.begin(),
                                                               caller.instance.end());
                                    return Buffer::CopyOf(absl::StrCat(
                                        caller.host, " ", absl::BytesToHexString(instance)));
                                  }))
                  .ok());
}

std::string Text(const Reply& reply) {
  return reply.ok() ? std::string(reply->text()) : reply.status().ToString();
}

void ScenarioTest::Make(testing::ClusterOptions options) {
  cluster_.reset();
  records_.resize(std::max<size_t>(options.nodes, options.names.size()));
  auto setup = std::move(options.setup);
  options.setup = [this, setup = std::move(setup)](int node, Manager& manager) {
    RegisterHandlers(cluster(), manager, records_[node]);
    if (setup) setup(node, manager);
  };
  cluster_.emplace(std::move(options));
}

void ScenarioTest::MakeAndStart(testing::ClusterOptions options) {
  Make(std::move(options));
  ASSERT_TRUE(cluster().StartAll()) << cluster().LogText();
}

void ScenarioTest::TearDown() {
  if (HasFailure() && cluster_.has_value()) std::cout << cluster().LogText();
}

uint64_t ScenarioTest::Drops(int from, int to, const std::string& reason) {
  const ConnectionStats stats = Stats(from, to);
  const auto found = stats.drops.find(reason);
  return found == stats.drops.end() ? 0 : found->second;
}

void ScenarioTest::ExpectIdle() {
  // What is on its way may be a ping, at any moment.
  const auto writing = [&] {
    uint64_t bytes = 0;
    for (int node = 0; node < cluster().size(); ++node) {
      if (cluster().running(node)) bytes += cluster().manager(node).Stats().total.output_bytes;
    }
    return bytes > 0;
  };
  cluster().RunUntil([&] { return !writing(); }, milliseconds(100));
  for (int node = 0; node < cluster().size(); ++node) {
    if (!cluster().running(node)) continue;
    SCOPED_TRACE(cluster().name(node));
    const ManagerStats stats = cluster().manager(node).Stats();
    EXPECT_EQ(stats.total.outgoing_requests, 0u);
    EXPECT_EQ(stats.total.incoming_requests, 0u);
    EXPECT_EQ(stats.total.outgoing_streams, 0u);
    EXPECT_EQ(stats.total.incoming_streams, 0u);
    EXPECT_EQ(stats.total.output_bytes, 0u);
    EXPECT_EQ(stats.worker_queue, 0u);
    EXPECT_EQ(stats.handshakes_pending, 0u);
  }
}

}  // namespace grid
