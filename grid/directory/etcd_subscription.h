// EtcdSubscription: one watch at etcd: first all there is, at one revision; then the changes from
// the next one on.
//
// Internal to the etcd backend; belongs to its thread.
#ifndef GRID_GRID_DIRECTORY_ETCD_SUBSCRIPTION_H_
#define GRID_GRID_DIRECTORY_ETCD_SUBSCRIPTION_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "grid/directory/directory_backend.h"
#include "grid/directory/etcd_gateway.h"
#include "grid/directory/etcd_keys.h"

namespace grid::internal {

class EtcdSubscription final : public Subscription {
 public:
  EtcdSubscription(std::shared_ptr<EtcdGateway> gateway, std::string prefix, etcd::EtcdRange range,
                   Duration attempt, SubscriptionSink& sink)
      : gateway_(std::move(gateway)),
        prefix_(std::move(prefix)),
        range_(std::move(range)),
        attempt_(attempt),
        sink_(sink) {}
  ~EtcdSubscription() override { *alive_ = false; }

  void Start();

 private:
  void OnSnapshot(absl::StatusOr<json::object> answer);
  void OnResult(const json::object& result);
  void OnEvent(const json::object& event);

  const std::shared_ptr<EtcdGateway> gateway_;
  const std::string prefix_;
  const etcd::EtcdRange range_;
  const Duration attempt_;
  SubscriptionSink& sink_;
  std::map<std::string, std::pair<Name, uint64_t>> epochs_;  // what was told, by key
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<EtcdGateway::Stream> stream_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_ETCD_SUBSCRIPTION_H_
