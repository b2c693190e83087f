#include "grid/actor/isolated_system.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {
namespace {

constexpr size_t kMaxActorText = 200;  // of 255 bytes that a client's name may have

absl::Status Explain(const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("the client of the actor's process: ", status.message()));
}

}  // namespace

std::string IsolatedClientName(const Name& actor, uint64_t epoch) {
  const std::string& text = actor.text();
  return absl::StrCat(text.substr(text.size() - std::min(text.size(), kMaxActorText)), "@", epoch);
}

absl::StatusOr<std::unique_ptr<IsolatedSystem>> IsolatedSystem::Make(
    asio::io_context& io, const IsolatedClientFunction& client,
    const IsolatedClientArguments& arguments) {
  absl::Status failed;
  try {
    absl::StatusOr<IsolatedClient> made = client(arguments);
    if (!made.ok()) return Explain(made.status());
    if (made->directory == nullptr) return nullptr;
    ManagerOptions options = made->manager;
    options.client = true;
    if (options.local.empty()) options.local = arguments.local;
    const std::shared_ptr<LogSink> log = options.log;
    std::unique_ptr<IsolatedSystem> system(new IsolatedSystem(io, std::move(options)));
    failed = system->Start(*made, arguments.start.name, log);
    if (failed.ok()) return system;
  } catch (const std::exception& exception) {
    failed = absl::InternalError(exception.what());
  } catch (...) {
    failed = absl::InternalError("an exception");
  }
  return Explain(failed);
}

absl::Status IsolatedSystem::Start(const IsolatedClient& client, const Name& actor,
                                   const std::shared_ptr<LogSink>& log) {
  for (const std::string& peer : client.peers) {
    if (absl::Status status = manager_.AddPeer(peer); !status.ok()) return status;
  }
  DirectoryOptions options;
  options.io = &io_;
  options.member = manager_.local();
  options.client = true;
  options.log = log;
  absl::StatusOr<std::unique_ptr<Directory>> directory =
      client.directory(manager_, std::move(options));
  if (!directory.ok()) return directory.status();
  if (*directory == nullptr) return absl::InternalError("IsolatedClient::directory made none");
  directory_ = *std::move(directory);
  // No actor runs in it: the one that there is runs on a thread of its own.
  absl::StatusOr<std::unique_ptr<ActorSystem>> actors = ActorSystem::Make(
      manager_, *directory_, {.io = &io_, .threads = 0, .from = actor, .log = log});
  if (!actors.ok()) return actors.status();
  actors_ = *std::move(actors);
  return manager_.Start();
}

void IsolatedSystem::Stop(absl::AnyInvocable<void()> stopped) {
  actors_->Stop([this, stopped = std::move(stopped)](const absl::Status&) mutable {
    directory_->Stop([this, stopped = std::move(stopped)](const absl::Status&) mutable {
      manager_.StopAsync(
          [this, stopped = std::move(stopped)]() mutable { asio::post(io_, std::move(stopped)); });
    });
  });
}

}  // namespace grid::internal
