// EtcdFlush: takes every name of a directory in etcd from its holder.
//
// In one transaction it deletes the registrations, learns of the sessions, and puts a key that
// keeps names from being given away (etcd_keys.h); then it revokes the sessions' leases one by one,
// so that each member finds out with its next renewal. That key lasts for a lease from when the
// last session was revoked: by then every token has ended.
//
// Internal to the etcd backend; belongs to its thread.
#ifndef GRID_GRID_DIRECTORY_ETCD_FLUSH_H_
#define GRID_GRID_DIRECTORY_ETCD_FLUSH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grid/directory/directory_backend.h"
#include "grid/directory/etcd_gateway.h"

namespace grid::internal {

class EtcdFlush final : public std::enable_shared_from_this<EtcdFlush> {
 public:
  // `done` as DirectoryBackend::Flush says. What is left when `limit` is over is done by the next
  // attempt. Kept alive by what it asks of the gateway.
  EtcdFlush(EtcdGateway& gateway, std::string prefix, int64_t ttl_s, Duration limit,
            DirectoryBackend::Done<uint64_t> done);
  void Start();

 private:
  using Next = void (EtcdFlush::*)(const json::object& answer);

  void Ask(const char* target, json::object body, Next next);
  void OnGranted(const json::object& answer);
  void OnDeleted(const json::object& answer);
  void RevokeNext();
  void OnHeld(const json::object& answer);

  EtcdGateway& gateway_;
  const std::string prefix_;
  const int64_t ttl_s_;
  const TimePoint deadline_;
  DirectoryBackend::Done<uint64_t> done_;
  uint64_t lease_ = 0;                 // of the key
  std::vector<std::string> sessions_;  // leases that are still to be revoked
  uint64_t removed_ = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_ETCD_FLUSH_H_
