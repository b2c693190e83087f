#include "grid/manager.h"

#include <future>
#include <memory>
#include <utility>

#include "grid/internal/manager_core.h"
#include "grid/internal/peer.h"
#include "grid/runtime/handshake.h"

namespace grid {

bool ShouldDial(std::string_view local, std::string_view remote) {
  return DialsByRule(local, remote);
}

Manager::Manager(ManagerOptions options)
    : core_(std::make_shared<internal::ManagerCore>(std::move(options))) {}

Manager::~Manager() {
  Stop();
  core_->Clear();
}

absl::Status Manager::Start() { return core_->Start(); }

absl::StatusOr<uint16_t> Manager::Listen(const std::string& address) {
  return core_->Listen(address);
}

void Manager::Stop() {
  // On a thread of our own, waiting would be for ever: then all that can be done is to begin.
  if (core_->OnOwnThread()) return core_->StopAsync([core = core_] {});
  auto stopped = std::make_shared<std::promise<void>>();
  core_->StopAsync([stopped] { stopped->set_value(); });
  stopped->get_future().wait();
  core_->Join();
}

void Manager::StopAsync(absl::AnyInvocable<void()> stopped) {
  core_->StopAsync(std::move(stopped));
}

void Manager::Drain(std::chrono::milliseconds limit, absl::AnyInvocable<void()> stopped) {
  core_->Drain(limit, std::move(stopped));
}

absl::Status Manager::AddPeer(const std::string& host) { return core_->AddPeer(host); }
absl::Status Manager::RemovePeer(const std::string& host) { return core_->RemovePeer(host); }
std::vector<std::string> Manager::Peers() const { return core_->Peers(); }

grid::Connection Manager::Connection(const std::string& host) const {
  return grid::Connection(core_->FindOrMissing(host));
}

const std::string& Manager::local() const { return core_->options().local; }
bool Manager::is_client() const { return core_->options().client; }
ManagerStats Manager::Stats() const { return core_->Stats(); }

absl::Status Manager::RegisterSingle(SingleSpec spec, SingleFunction function) {
  return core_->handlers().RegisterSingle(std::move(spec), std::move(function));
}
absl::Status Manager::RegisterSingle(SingleSpec spec, SingleCoroutine function) {
  return core_->handlers().RegisterSingle(std::move(spec), std::move(function));
}
absl::Status Manager::RegisterSingle(SingleSpec spec, SingleStarter function) {
  return core_->handlers().RegisterSingle(std::move(spec), std::move(function));
}
absl::Status Manager::RegisterStream(StreamSpec spec, StreamFunction function) {
  return core_->handlers().RegisterStream(std::move(spec), std::move(function));
}
absl::Status Manager::RegisterStream(StreamSpec spec, StreamCoroutine function) {
  return core_->handlers().RegisterStream(std::move(spec), std::move(function));
}
absl::Status Manager::RegisterStream(StreamSpec spec, StreamStarter function) {
  return core_->handlers().RegisterStream(std::move(spec), std::move(function));
}

}  // namespace grid
