#include "grid/directory/local_directory.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "grid/directory/directory_client.h"
#include "grid/directory/local_backend.h"
#include "grid/directory/registry_host.h"
#include "grid/directory/registry_timer.h"

namespace grid {
namespace {

LocalDirectoryOptions WithDefaults(LocalDirectoryOptions options) {
  if (options.clock == nullptr) options.clock = RealClock();
  return options;
}

}  // namespace

LocalDirectory::LocalDirectory(LocalDirectoryOptions options)
    : options_(WithDefaults(std::move(options))),
      host_(std::make_shared<internal::RegistryHost>(
          options_.clock, RegistryOptions{.lease = options_.lease, .limits = options_.limits})),
      timer_(std::make_shared<internal::RegistryTimer>(*options_.io, *options_.clock, host_)),
      reach_(std::make_shared<internal::Reach>()) {
  timer_->Start();
}

LocalDirectory::~LocalDirectory() {
  boost::asio::post(*options_.io, [timer = std::move(timer_)] {});
}

absl::StatusOr<std::unique_ptr<Directory>> LocalDirectory::Join(DirectoryOptions options) {
  if (absl::Status status = options.Check(); !status.ok()) return status;
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.lease != options_.lease || options.clock != options_.clock) {
    return absl::InvalidArgumentError(
        "DirectoryOptions::lease and clock must be those of the LocalDirectory");
  }
  auto backend =
      std::make_unique<internal::LocalBackend>(host_, *options.io, options.member, reach_);
  return MakeDirectory(std::move(options), std::move(backend));
}

void LocalDirectory::SetReachable(const std::string& member, bool reachable) {
  reach_->Set(member, reachable);
}

RegistryStats LocalDirectory::Stats() const { return host_->Stats(); }

}  // namespace grid
