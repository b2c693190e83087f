#include "tools/gridctl/mesh_client.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/base/log.h"
#include "grid/membership/directory_membership.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kReach{3};

}  // namespace

absl::StatusOr<std::unique_ptr<MeshClient>> MeshClient::Connect(const DirectoryClientFlags& flags,
                                                                DirectoryUse use) {
  std::unique_ptr<MeshClient> made(new MeshClient);
  if (absl::Status status = made->Open(flags, use); !status.ok()) return status;
  return made;
}

absl::Status MeshClient::Open(const DirectoryClientFlags& flags, DirectoryUse use) {
  log_ = flags.client.verbose ? SpdlogLog("gridctl", LogLevel::kDebug) : NullLog();
  auto names = DirectoryClient::Make(flags, use);
  if (!names.ok()) return names.status();
  names_ = *std::move(names);
  // As a member it serves handlers, which have to be there before it starts.
  auto actors = ActorSystem::Make(manager(), directory(), {.io = &io(), .threads = 0, .log = log_});
  if (!actors.ok()) return actors.status();
  actors_ = *std::move(actors);
  if (absl::Status status = names_->Start(); !status.ok()) return status;

  auto members = MakeDirectoryMembership(
      directory(), {.io = &io(), .member = manager().local(), .client = true, .log = log_});
  if (!members.ok()) return members.status();
  members_ = *std::move(members);
  starter_ = std::make_unique<KindStarter>(directory(), *members_, manager(),
                                           KindStarterOptions{.io = &io()});
  absl::StatusOr<MembershipWatcher> watcher = members_->Watch();
  if (!watcher.ok()) return watcher.status();
  watcher_ = *std::move(watcher);
  std::promise<void> promise;
  const std::future<void> first = promise.get_future();
  following_ = asio::co_spawn(io(), Follow(std::move(promise)), asio::use_future);
  if (first.wait_for(timeout()) == std::future_status::ready) return absl::OkStatus();
  return names_->Explain(absl::DeadlineExceededError("the list of members did not come in time"));
}

MeshClient::~MeshClient() {
  if (names_ == nullptr) return;
  if (following_.valid()) {
    watcher_.Close();
    following_.wait();
  }
  // Gives back what we hold, so that others patrol at once. What is destroyed now belongs to that
  // thread, or does not mind.
  names_->StopThread();
}

asio::awaitable<void> MeshClient::Follow(std::promise<void> first) {
  for (bool told = false;; told = true) {
    const absl::StatusOr<MembershipWatcher::ViewPtr> view = co_await watcher_.Next();
    if (!view.ok()) co_return;
    FollowView(**view);
    if (!told) first.set_value();
  }
}

void MeshClient::FollowView(const MembershipView& view) {
  std::set<std::string> there;
  for (const Member& member : view.members) {
    if (member.client || member.state == MemberState::kDown || member.name == manager().local()) {
      continue;
    }
    there.insert(member.name);
    if (followed_.contains(member.name)) continue;
    const absl::Status added = manager().AddPeer(member.name);
    // The remote is there before; it stays also where it is no member.
    if (absl::IsAlreadyExists(added)) continue;
    if (added.ok()) {
      followed_.insert(member.name);
    } else {
      log_->Log(LogLevel::kWarning, absl::StrCat("member ", member.name, ": ", added.message()));
    }
  }
  for (auto at = followed_.begin(); at != followed_.end();) {
    if (there.contains(*at)) {
      ++at;
      continue;
    }
    (void)manager().RemovePeer(*at);
    at = followed_.erase(at);
  }
}

absl::StatusOr<std::vector<Entry>> MeshClient::Resolve(Selector selector) {
  absl::StatusOr<Resolution> found =
      directory().Resolve(std::move(selector), timeout(), asio::use_future).get();
  if (!found.ok()) return names_->Explain(found.status());
  return std::move(found->entries);
}

void MeshClient::Reach(const std::set<std::string>& members) {
  std::vector<std::future<absl::Status>> waiting;
  const std::chrono::milliseconds limit = std::min<std::chrono::milliseconds>(timeout(), kReach);
  for (const std::string& member : members) {
    waiting.push_back(manager().Connection(member).WaitConnected(limit, asio::use_future));
  }
  for (std::future<absl::Status>& one : waiting) {
    const absl::Status connected = one.get();
    if (!connected.ok()) log_->Log(LogLevel::kWarning, std::string(connected.message()));
  }
}

void MeshClient::ReachAll() {
  std::set<std::string> names;
  const auto view = members_->View();
  for (const Member& member : view->members) {
    if (member.state == MemberState::kUp) names.insert(member.name);
  }
  Reach(names);
}

void MeshClient::ReachHolders(const std::vector<Entry>& entries) {
  std::set<std::string> members;
  for (const Entry& entry : entries) members.insert(entry.member);
  Reach(members);
}

}  // namespace grid::tools
