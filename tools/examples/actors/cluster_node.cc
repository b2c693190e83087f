#include "tools/examples/actors/cluster_node.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <utility>

namespace examples {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

grid::ManagerOptions MeshOptions(const ClusterNodeOptions& node) {
  grid::ManagerOptions options;
  options.local = node.local;
  options.client = node.client;
  // Members that can't be reached are what the examples are about, and no news: errors only.
  options.log = grid::SpdlogLog("example", grid::LogLevel::kError);
  options.timeouts.redial_min = 50ms;
  options.timeouts.redial_max = 100ms;
  return options;
}

}  // namespace

ClusterNode::ClusterNode(ClusterNodeOptions options)
    : options_(std::move(options)),
      work_(io_.get_executor()),
      manager_(MeshOptions(options_)),
      thread_([this] { io_.run(); }) {}

ClusterNode::~ClusterNode() {
  manager_.Stop();  // first: so nobody hears of what follows
  std::promise<void> ended;
  asio::post(io_, [&] {
    patrols_.clear();
    starter_.reset();
    kinds_.reset();
    actors_.reset();
    members_.reset();
    names_.directory.reset();
    names_.server.reset();
    ended.set_value();
  });
  ended.get_future().wait();
  work_.reset();
  thread_.join();
}

// All that registers handlers comes before the manager is started.
absl::Status ClusterNode::Make() {
  absl::Status status;
  for (const std::string& host : options_.hosts) {
    if (host != options_.local) status.Update(manager_.AddPeer(host));
  }
  const std::shared_ptr<grid::LogSink> log = grid::SpdlogLog("example", grid::LogLevel::kError);

  grid::DirectoryOptions directory;
  directory.io = &io_;
  directory.client = options_.client;
  directory.lease = options_.lease;
  directory.log = log;
  auto names = grid::MakeHostedDirectory(manager_, options_.hosts, std::move(directory));
  status.Update(names.status());
  if (!status.ok()) return status;
  names_.server = std::move(names->server);
  names_.directory = std::move(names->directory);

  auto actors =
      grid::ActorSystem::Make(manager_, *names_.directory, {.io = &io_, .threads = 2, .log = log});
  if (!actors.ok()) return actors.status();
  actors_ = *std::move(actors);

  kinds_ = std::make_unique<grid::KindHost>(options_.kinds, *actors_,
                                            grid::KindHostOptions{.io = &io_, .log = log});
  if (!options_.client) status.Update(kinds_->Serve(manager_));

  auto members = grid::MakeDirectoryMembership(
      *names_.directory, {.io = &io_,
                          .member = options_.local,
                          .client = options_.client,
                          .attributes = {{grid::Member::kKinds, kinds_->kinds().Paths()}},
                          .suspect = options_.lease,
                          .log = log});
  status.Update(members.status());
  if (!status.ok()) return status;
  members_ = *std::move(members);

  starter_ = std::make_unique<grid::KindStarter>(
      *names_.directory, *members_, manager_,
      grid::KindStarterOptions{.io = &io_, .host = kinds_.get()});
  return absl::OkStatus();
}

absl::Status ClusterNode::Start() {
  absl::Status status = Make();
  if (status.ok()) status = manager_.Start();
  if (status.ok() && !options_.client) {
    status = manager_.Listen(options_.local.substr(options_.local.rfind('/') + 1)).status();
  }
  if (status.ok()) status = names_.directory->WaitReady(30s, asio::use_future).get();
  return status.ok() ? Join() : status;
}

absl::Status ClusterNode::Join() {
  auto watcher = members_->Watch();
  if (!watcher.ok()) return watcher.status();
  const auto end = std::chrono::steady_clock::now() + 30s;
  for (;;) {
    auto next = watcher->Next(asio::use_future);
    if (next.wait_until(end) != std::future_status::ready) {
      return absl::DeadlineExceededError(options_.local + " has not become a member");
    }
    const auto view = next.get();
    if (!view.ok()) return view.status();
    const grid::Member* const self = (*view)->Find(options_.local);
    if (options_.client || (self != nullptr && self->state == grid::MemberState::kUp)) {
      return absl::OkStatus();
    }
  }
}

absl::Status ClusterNode::KeepRunning(const grid::Path& path) {
  const grid::Kind* const kind = kinds_->kinds().Find(path);
  if (kind == nullptr) return absl::NotFoundError("no kind " + path.text());
  auto patrol = grid::Patrol::Make(*names_.directory, *members_, *starter_,
                                   {.io = &io_,
                                    .path = path,
                                    .count = kind->activation.count(),
                                    .period = 200ms,
                                    .log = grid::SpdlogLog("example", grid::LogLevel::kError)});
  if (!patrol.ok()) return patrol.status();
  patrols_.push_back(*std::move(patrol));
  return absl::OkStatus();
}

absl::Status ClusterNode::Stop() {
  absl::Status status;
  // Others place nothing here any more, and what they have placed already is refused.
  if (!options_.client) {
    grid::AttributeChanges draining = {{grid::Member::kDraining, "true"}};
    status.Update(members_->Change(std::move(draining), asio::use_future).get());
  }
  kinds_->Refuse(absl::UnavailableError("this member is leaving"));
  for (const auto& patrol : patrols_) status.Update(patrol->Stop(asio::use_future).get());
  // Resolvers skip our actors, which finish what waits for them; what comes late is rejected, so
  // that its sender may go elsewhere with it.
  status.Update(actors_->Stop(asio::use_future).get());
  if (!options_.client) status.Update(members_->Leave(asio::use_future).get());
  status.Update(names_.directory->Stop(asio::use_future).get());
  // The last answers still go out.
  std::promise<void> stopped;
  manager_.Drain(10s, [&] { stopped.set_value(); });
  stopped.get_future().wait();
  return status;
}

}  // namespace examples
