// LocalBackend: a member of a directory in the process that keeps its table: of LocalDirectory, and
// of the member that serves the hosted directory.
//
// See DirectoryBackend for the thread.
#ifndef GRID_GRID_DIRECTORY_LOCAL_BACKEND_H_
#define GRID_GRID_DIRECTORY_LOCAL_BACKEND_H_

#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/directory/directory_backend.h"
#include "grid/directory/io_gate.h"
#include "grid/directory/registry_host.h"

namespace grid::internal {

// Which members can't reach the table; any thread.
class Reach {
 public:
  void Set(const std::string& member, bool reachable) {
    std::lock_guard lock(mutex_);
    if (reachable) {
      cut_.erase(member);
    } else {
      cut_.insert(member);
    }
  }
  bool Reachable(const std::string& member) const {
    std::lock_guard lock(mutex_);
    return !cut_.contains(member);
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> cut_ ABSL_GUARDED_BY(mutex_);
};

class LocalBackend final : public DirectoryBackend {
 public:
  LocalBackend(std::shared_ptr<RegistryHost> host, boost::asio::io_context& io, std::string member,
               std::shared_ptr<const Reach> reach)
      : host_(std::move(host)),
        gate_(std::make_shared<IoGate>(io)),
        member_(std::move(member)),
        reach_(std::move(reach)) {}
  ~LocalBackend() override { gate_->Close(); }

  void Renew(LeaseCall call, Duration limit, Done<LeaseGrant> done) override;
  void Register(RegisterCall call, Duration limit, Done<Entry> done) override;
  void Update(UpdateCall call, Duration limit, StatusDone done) override;
  void Deregister(DeregisterCall call, Duration limit, StatusDone done) override;
  void End(LeaseCall call, Duration limit, StatusDone done) override;
  void Flush(Duration limit, Done<uint64_t> done) override;
  void Resolve(Selector selector, Duration limit, Done<std::vector<Entry>> done) override;
  std::unique_ptr<Subscription> Subscribe(const Selector& selector,
                                          SubscriptionSink& sink) override;
  void Close() override { gate_->Close(); }

 private:
  // Asks the table, if it can be reached, and answers later.
  template <typename Ask, typename DoneFor>
  void Answer(Ask ask, DoneFor done);

  const std::shared_ptr<RegistryHost> host_;
  const std::shared_ptr<IoGate> gate_;  // closed: nobody waits for answers any more
  const std::string member_;
  const std::shared_ptr<const Reach> reach_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_LOCAL_BACKEND_H_
