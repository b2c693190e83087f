#include "bench/e2e/grid_actors.h"

#include <boost/asio/use_future.hpp>
#include <chrono>
#include <utility>

#include "grid/base/log.h"

namespace grid::bench {
namespace {

constexpr std::chrono::seconds kReady{10};

Name EchoName() { return *Name::Parse("bench/echo/1"); }

class EchoActor final : public Actor {
 public:
  EchoActor() {
    On(kActorEcho,
       [](const std::string& text, ActorContext&) -> absl::StatusOr<std::string> { return text; });
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<ActorNode>> ActorNode::Make(Manager& manager,
                                                           const std::string& server,
                                                           boost::asio::io_context& io) {
  DirectoryOptions options;
  options.io = &io;
  options.log = NullLog();
  // Only the server holds names, so the directory waits for nobody else when it starts.
  options.client = manager.local() != server;
  auto names = MakeHostedDirectory(manager, {server}, std::move(options));
  if (!names.ok()) return names.status();
  std::unique_ptr<ActorNode> node(new ActorNode(*std::move(names)));
  auto system = ActorSystem::Make(manager, *node->names_.directory,
                                  {.io = &io, .threads = 0, .log = NullLog()});
  if (!system.ok()) return system.status();
  node->system_ = *std::move(system);
  return node;
}

absl::Status ActorNode::StartEcho() {
  return system_
      ->Start(
          EchoName(), [] { return std::make_unique<EchoActor>(); },
          {.mailbox = {.capacity = 100'000}}, boost::asio::use_future)
      .get()
      .status();
}

absl::StatusOr<Recipients> ActorNode::FindEcho() {
  const absl::Status ready = names_.directory->WaitReady(kReady, boost::asio::use_future).get();
  if (!ready.ok()) return ready;
  return system_->To(Selector::Of({EchoName()}));
}

}  // namespace grid::bench
