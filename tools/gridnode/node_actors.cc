#include "tools/gridnode/node_actors.h"

#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/membership/directory_membership.h"
#include "tools/common/demo_kinds.h"

namespace grid::tools {
namespace {

constexpr char kDemo[] = "demo";
// How long others are waited for who are to be told that we go.
constexpr std::chrono::seconds kTell{1};

absl::StatusOr<KindTable> KindsOf(const ActorFlags& flags) {
  if (flags.kinds.empty()) return KindTable();
  absl::StatusOr<KindTable> kinds = DemoKinds(flags.realm);
  if (kinds.ok()) return kinds;
  return absl::Status(kinds.status().code(), absl::StrCat("--", kinds.status().message()));
}

}  // namespace

void AddActorFlags(CLI::App& app, ActorFlags* flags) {
  CLI::Option* kinds =
      app.add_option("--kinds", flags->kinds,
                     "kinds of actors to host: demo, which is echo, counter, sleeper and crasher")
          ->check(CLI::IsMember({kDemo}));
  app.add_option("--realm", flags->realm, "first segment of their names")
      ->capture_default_str()
      ->needs(kinds);
  app.add_option("--zone", flags->zone,
                 "the zone that this member tells others; those of one zone are near each other");
}

absl::StatusOr<std::unique_ptr<NodeActors>> NodeActors::Make(Manager& manager, Directory& directory,
                                                             IoThread& thread,
                                                             const ActorFlags& flags,
                                                             std::chrono::milliseconds drain,
                                                             std::shared_ptr<LogSink> log) {
  absl::StatusOr<KindTable> kinds = KindsOf(flags);
  if (!kinds.ok()) return kinds.status();
  std::unique_ptr<NodeActors> made(new NodeActors);
  made->log_ = log;
  made->limit_ = drain;
  // What is hosted here never blocks: one thread is enough.
  ActorSystemOptions options{.io = &thread.io(), .threads = 1, .drain = drain, .log = log};
  auto actors = ActorSystem::Make(manager, directory, std::move(options));
  if (!actors.ok()) return actors.status();
  made->actors_ = *std::move(actors);

  DirectoryMembershipOptions joining{
      .io = &thread.io(), .member = manager.local(), .log = std::move(log)};
  const std::string paths = kinds->Paths();
  if (!paths.empty()) joining.attributes[Member::kKinds] = paths;
  if (!flags.zone.empty()) joining.attributes[Member::kZone] = flags.zone;
  auto members = MakeDirectoryMembership(directory, std::move(joining));
  if (!members.ok()) return members.status();
  made->members_ = *std::move(members);

  made->kinds_ = std::make_unique<KindHost>(*std::move(kinds), *made->actors_,
                                            KindHostOptions{.io = &thread.io(), .log = made->log_});
  made->drain_ = std::make_unique<MemberDrain>(*made->kinds_, *made->actors_, *made->members_);
  absl::Status served = made->kinds_->Serve(manager);
  served.Update(made->drain_->Serve(manager));
  if (!served.ok()) return served;
  return made;
}

NodeActors::~NodeActors() = default;

void NodeActors::Stop() {
  namespace asio = boost::asio;
  // Where the directory can't be reached, others find out by the lease.
  drain_->Drain(asio::use_future).wait_for(kTell);
  std::future<absl::Status> stopped = actors_->Stop(asio::use_future);
  absl::Status status = absl::DeadlineExceededError("their names are given back by the lease");
  if (stopped.wait_for(limit_ + kTell) == std::future_status::ready) status = stopped.get();
  if (!status.ok()) log_->Log(LogLevel::kWarning, absl::StrCat("actors: ", status.message()));
  members_->Leave(asio::use_future).wait_for(kTell);
}

void NodeActors::AddStats(NodeStats* stats) const {
  stats->membership = members_->Stats();
  stats->actors = actors_->Stats();
  stats->kinds = kinds_->Stats();
}

}  // namespace grid::tools
