// EtcdBackend: the table of a directory in etcd. See etcd_directory.h for the keys.
//
// Exclusive means: a transaction that puts the key of the name where no key of the name is. The
// revision of that transaction is the epoch, and what is updated or deleted is compared with it.
// Everything hangs on the lease of the session, so it goes with it. A key of the member itself says
// which lease that is: a new incarnation revokes the old one's.
//
// See DirectoryBackend for the thread.
#ifndef GRID_GRID_DIRECTORY_ETCD_BACKEND_H_
#define GRID_GRID_DIRECTORY_ETCD_BACKEND_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grid/directory/directory_backend.h"
#include "grid/directory/etcd_gateway.h"

namespace grid::internal {

class EtcdBackend final : public DirectoryBackend {
 public:
  EtcdBackend(std::shared_ptr<EtcdGateway> gateway, std::string prefix, Duration lease,
              Duration attempt);

  void Renew(LeaseCall call, Duration limit, Done<LeaseGrant> done) override;
  void Register(RegisterCall call, Duration limit, Done<Entry> done) override;
  void Update(UpdateCall call, Duration limit, StatusDone done) override;
  void Deregister(DeregisterCall call, Duration limit, StatusDone done) override;
  void End(LeaseCall call, Duration limit, StatusDone done) override;
  void Flush(Duration limit, Done<uint64_t> done) override;
  void Resolve(Selector selector, Duration limit, Done<std::vector<Entry>> done) override;
  std::unique_ptr<Subscription> Subscribe(const Selector& selector,
                                          SubscriptionSink& sink) override;
  void AddStats(DirectoryStats& stats) const override;

 private:
  struct Opening;

  // A new session, step by step: a lease, who had one before, and the member's own key.
  void Grant(const std::shared_ptr<Opening>& opening);
  void ReplaceOlder(const std::shared_ptr<Opening>& opening);
  void PutMember(const std::shared_ptr<Opening>& opening);
  void KeepAlive(Duration limit, Done<LeaseGrant> done);
  std::string KeyOf(const RegisterCall& call) const;

  const std::shared_ptr<EtcdGateway> gateway_;
  const std::string prefix_;
  const int64_t ttl_s_;
  const Duration attempt_;
  uint64_t incarnation_ = 0;              // whose lease this is
  uint64_t lease_ = 0;                    // 0: none
  std::map<uint64_t, std::string> keys_;  // of our registrations, by epoch
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_ETCD_BACKEND_H_
