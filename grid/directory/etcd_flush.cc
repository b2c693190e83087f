#include "grid/directory/etcd_flush.h"

#include <boost/json/array.hpp>
#include <utility>

#include "grid/directory/etcd_keys.h"

namespace grid::internal {

EtcdFlush::EtcdFlush(EtcdGateway& gateway, std::string prefix, int64_t ttl_s, Duration limit,
                     DirectoryBackend::Done<uint64_t> done)
    : gateway_(gateway),
      prefix_(std::move(prefix)),
      ttl_s_(ttl_s),
      deadline_(gateway.Now() + limit),
      done_(std::move(done)) {}

void EtcdFlush::Ask(const char* target, json::object body, Next next) {
  gateway_.Ask(target, std::move(body), deadline_ - gateway_.Now(),
               [self = shared_from_this(), next](const absl::StatusOr<json::object>& answer) {
                 if (!answer.ok()) return self->done_(answer.status());
                 ((*self).*next)(*answer);
               });
}

void EtcdFlush::Start() {
  Ask("/v3/lease/grant", {{"TTL", std::to_string(ttl_s_)}}, &EtcdFlush::OnGranted);
}

void EtcdFlush::OnGranted(const json::object& answer) {
  lease_ = EtcdNumber(answer, "ID");
  const etcd::EtcdRange members = etcd::MemberRange(prefix_);
  const etcd::EtcdRange names = etcd::RangeOf(prefix_, Selector::Under(Path::Root()));
  json::object hold{{"key", EtcdBase64(etcd::FlushKey(prefix_))},
                    {"value", EtcdBase64("flush")},
                    {"lease", std::to_string(lease_)}};
  json::array steps{json::object{{"request_put", std::move(hold)}},
                    json::object{{"request_range", etcd::Range(members.begin, members.end)}},
                    json::object{{"request_delete_range", etcd::Range(names.begin, names.end)}}};
  Ask("/v3/kv/txn", etcd::Transaction({}, std::move(steps), {}), &EtcdFlush::OnDeleted);
}

void EtcdFlush::OnDeleted(const json::object& answer) {
  removed_ = etcd::Deleted(answer);
  for (const json::object& member : etcd::TransactionPairs(answer)) {
    std::string lease = etcd::TextOf(etcd::ValueObject(member), "lease");
    if (!lease.empty()) sessions_.push_back(std::move(lease));
  }
  RevokeNext();
}

void EtcdFlush::RevokeNext() {
  if (sessions_.empty()) {
    // The sessions were renewed until a moment ago, so the key must last for a lease from now.
    return Ask("/v3/lease/keepalive", {{"ID", std::to_string(lease_)}}, &EtcdFlush::OnHeld);
  }
  const std::string session = std::move(sessions_.back());
  sessions_.pop_back();
  gateway_.Ask("/v3/lease/revoke", {{"ID", session}}, deadline_ - gateway_.Now(),
               [self = shared_from_this()](const absl::StatusOr<json::object>& answer) {
                 // One that has ended by itself is not found.
                 if (!answer.ok() && !absl::IsNotFound(answer.status())) {
                   return self->done_(answer.status());
                 }
                 self->RevokeNext();
               });
}

void EtcdFlush::OnHeld(const json::object& answer) {
  if (EtcdNumber(EtcdObject(answer, "result"), "TTL") == 0) {
    return done_(absl::UnavailableError("etcd: the flush took longer than a lease"));
  }
  done_(removed_);
}

}  // namespace grid::internal
