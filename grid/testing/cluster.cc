#include "grid/testing/cluster.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::testing {
namespace {

MemoryNetworkOptions WithSeed(MemoryNetworkOptions options, uint64_t seed) {
  options.seed = seed;
  return options;
}

}  // namespace

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)),
      interleave_(options_.seed),
      clock_(std::make_shared<VirtualClock>()),
      names_(options_.names),
      network_(clock_, WithSeed(options_.network, options_.seed)) {
  for (int node = static_cast<int>(names_.size()); node < options_.nodes; ++node) {
    names_.push_back(absl::StrCat("http://node", node, ":9000"));
  }
  managers_.resize(names_.size());
  for (size_t node = 0; node < names_.size(); ++node) {
    logs_.push_back(std::make_shared<CaptureLog>(clock_));
  }
}

Cluster::~Cluster() {
  for (int node = 0; node < size(); ++node) {
    if (running(node)) Kill(node);
  }
}

absl::Status Cluster::Start(int node) {
  ManagerOptions options;
  options.local = names_[node];
  options.client = IsClient(node);
  options.clock = clock_;
  options.log = logs_[node];
  options.network = network_.Host(names_[node]);
  options.io_contexts = {&io_};
  options.worker_executor = io_.get_executor();
  // Every start another one, as a restarted process would have; never 0, which means the system's.
  options.seed = options_.seed * 1'000'003 + ++starts_;
  if (options_.adjust) options_.adjust(node, options);

  auto manager = std::make_unique<Manager>(std::move(options));
  if (options_.setup) options_.setup(node, *manager);
  if (options_.add_peers) {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == node || IsClient(peer)) continue;
      if (absl::Status added = manager->AddPeer(names_[peer]); !added.ok()) return added;
    }
  }
  if (absl::Status started = manager->Start(); !started.ok()) return started;
  managers_[node] = std::move(manager);
  if (IsClient(node)) return absl::OkStatus();
  const std::string& name = names_[node];
  return managers_[node]->Listen(name.substr(name.find("://") + 3)).status();
}

bool Cluster::IsClient(int node) const {
  const std::vector<int>& clients = options_.clients;
  return std::find(clients.begin(), clients.end(), node) != clients.end();
}

bool Cluster::StartAll() {
  for (int node = 0; node < size(); ++node) {
    if (!Start(node).ok()) return false;
  }
  for (int a = 0; a < size(); ++a) {
    for (int b = a + 1; b < size(); ++b) {
      if (IsClient(a) && IsClient(b)) continue;
      if (!RunUntilConnected(a, b)) return false;
    }
  }
  return true;
}

void Cluster::Stop(int node) {
  // The thread that runs the manager's io_context is this one: it can't wait inside Manager::Stop.
  const auto stopped = std::make_shared<bool>(false);
  managers_[node]->StopAsync([stopped] { *stopped = true; });
  AwaitStopped(node, stopped, std::chrono::minutes(1));
}

void Cluster::StopGracefully(int node, std::chrono::milliseconds limit) {
  const auto stopped = std::make_shared<bool>(false);
  managers_[node]->Drain(limit, [stopped] { *stopped = true; });
  AwaitStopped(node, stopped, limit + std::chrono::minutes(1));
}

void Cluster::AwaitStopped(int node, const std::shared_ptr<bool>& stopped, Duration limit) {
  if (!RunUntil([&] { return *stopped; }, limit)) {
    // Destroying it would wait for ever.
    (void)managers_[node].release();
    throw std::runtime_error(absl::StrCat(names_[node], " does not stop"));
  }
  managers_[node].reset();
  Drain();
}

void Cluster::Kill(int node) {
  for (int peer = 0; peer < size(); ++peer) {
    if (peer != node) network_.Sever(names_[node], names_[peer]);
  }
  Stop(node);
}

absl::Status Cluster::Restart(int node) {
  if (running(node)) Kill(node);
  return Start(node);
}

absl::StatusOr<Buffer> Cluster::Call(int from, int to, HandlerId handler, BytesView payload,
                                     RequestOptions options) {
  // Shared with the completion, which comes late when this gives up.
  const auto reply = std::make_shared<std::optional<absl::StatusOr<Buffer>>>();
  Peer(from, to).Request(handler, payload, options, [reply](absl::StatusOr<Buffer> result) {
    reply->emplace(std::move(result));
  });
  const Duration limit = options.timeout + std::chrono::minutes(2);
  if (!RunUntil([&] { return reply->has_value(); }, limit)) {
    return absl::InternalError("the request was never completed");
  }
  return std::move(**reply);
}

void Cluster::Spawn(asio::awaitable<void> coroutine) {
  asio::co_spawn(io_, std::move(coroutine), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

bool Cluster::Run(asio::awaitable<void> coroutine, Duration limit) {
  const auto done = std::make_shared<bool>(false);
  asio::co_spawn(io_, std::move(coroutine), [done](std::exception_ptr error) {
    *done = true;
    if (error) std::rethrow_exception(error);
  });
  return RunUntil([&] { return *done; }, limit);
}

void Cluster::RunFor(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool Cluster::RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) {
  return testing::RunUntil(io_, *clock_, predicate, limit,
                           options_.interleave ? &interleave_ : nullptr);
}

void Cluster::Drain() { testing::Drain(io_); }

bool Cluster::Connected(int a, int b) {
  return running(a) && running(b) && Peer(a, b).state() == ConnectionState::kConnected &&
         Peer(b, a).state() == ConnectionState::kConnected;
}

bool Cluster::RunUntilConnected(int a, int b, Duration limit) {
  return RunUntil([&] { return Connected(a, b); }, limit);
}

asio::awaitable<void> Cluster::Sleep(Duration duration) {
  return testing::Sleep(io_, *clock_, duration);
}

std::string Cluster::LogText() const {
  std::string text;
  for (size_t node = 0; node < logs_.size(); ++node) {
    absl::StrAppend(&text, names_[node], ":\n", logs_[node]->Text());
  }
  return text;
}

std::vector<std::string> NamesForDialDirection(bool first_dials) {
  const std::string first = "http://node0:9000";
  for (int port = 9000;; ++port) {
    const std::string second = absl::StrCat("http://node1:", port);
    if (ShouldDial(first, second) == first_dials) return {first, second};
  }
}

}  // namespace grid::testing
